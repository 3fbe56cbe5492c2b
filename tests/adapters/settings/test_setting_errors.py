"""An error names the variable, the expectation, and the value unless it may be a secret."""

from collections.abc import Callable

import pytest
from pydantic import ValidationError

from adapters.settings.setting_errors import in_words
from adapters.settings.settings import Settings


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("port", "http", "CELLAR_PORT: expected a whole number, got 'http'"),
        ("prefect_port", "99999", "CELLAR_PREFECT_PORT: expected at most 65535, got '99999'"),
        ("body_timeout_s", "0", "CELLAR_BODY_TIMEOUT_S: expected more than 0.0, got '0'"),
        ("notify_allow_private", "perhaps", "CELLAR_NOTIFY_ALLOW_PRIVATE: expected true or false, got 'perhaps'"),
        ("public_link", "no", "CELLAR_PUBLIC_LINK: expected token or none, got 'no'"),
        ("timezone", "Asia/Nowhere", "CELLAR_TIMEZONE: expected a time zone such as Asia/Jerusalem"),
    ],
)
def test_wrong_value_is_described(configure: Callable[..., Settings], name: str, value: str, words: str) -> None:
    with pytest.raises(ValidationError) as wrong:
        configure(**{name: value})

    assert in_words(wrong.value) == words


def test_port_that_kubernetes_has_set_is_explained(configure: Callable[..., Settings]) -> None:
    with pytest.raises(ValidationError) as wrong:
        configure(port="tcp://10.0.0.1:80")

    assert "enableServiceLinks" in in_words(wrong.value)


def test_wrong_url_of_the_database_is_described_without_its_password(configure: Callable[..., Settings]) -> None:
    for url in ("mysql://user:hidden@db/cellar", "postgresql://user:hid@den@db", "postgresql://user:hid@den:1@db/d"):
        with pytest.raises(ValidationError) as wrong:
            configure(database_url=url)

        assert in_words(wrong.value).startswith("CELLAR_DATABASE_URL: expected sqlite:///FILE")
        assert not any(each in in_words(wrong.value) for each in ("hid", "den", "user:"))

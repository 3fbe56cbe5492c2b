"""A variable that begins like a setting and is none is refused, with the nearest setting."""

from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.settings.settings import Settings
from models.errors import WrongUse

Configure = Callable[..., Settings]


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("CELLAR_NOTIFY_URL", "did you mean CELLAR_NOTIFY_URLS?"),
        ("CELLAR_STORE_ULR", "did you mean CELLAR_STORE_URL?"),
        ("CELLAR_WEBHOOK_SECRET", "did you mean CELLAR_WEBHOOK_SECRETS?"),
        ("CELLAR_FOO", "remove it"),
    ],
)
def test_unknown_variable_is_refused_with_the_nearest_setting(configure: Configure, name: str, nearest: str) -> None:
    with pytest.raises(WrongUse, match=name) as refused:
        configure(**{name: "hidden"})

    assert nearest in str(refused.value)
    assert "hidden" not in str(refused.value)


def test_unknown_name_in_the_env_file_is_refused_with_its_path(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("OTHER=1\ncellar_prot=1\n")

    with pytest.raises(WrongUse, match=f"cellar_prot in {tmp_path}/.env .* CELLAR_PORT"):
        configure()


def test_env_file_that_is_no_text_is_refused_with_its_path(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfe")

    with pytest.raises(WrongUse, match=f"{tmp_path}/.env cannot be read"):
        configure()


def test_variables_of_services_in_kubernetes_are_no_settings(configure: Configure) -> None:
    made = configure(
        CELLAR_SERVICE_HOST="10.0.0.1",
        CELLAR_SERVICE_PORT_HTTP="80",
        CELLAR_PORT_80_TCP_ADDR="10.0.0.1",
        CELLAR_DB_PORT="tcp://10.0.0.2:5432",
    )

    assert made.port == 8000

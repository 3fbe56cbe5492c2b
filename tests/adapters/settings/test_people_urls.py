"""Addresses of people: several between commas, although an address may have commas itself."""

from collections.abc import Callable

import pytest
from pydantic import ValidationError

from adapters.settings.environment import settings_environment
from adapters.settings.settings import Settings

SLACK, MAIL = "slack://a/b/c/#one,#two", "mailtos://u:p@example.com?to=d@example.com,e@example.com"


def test_comma_before_a_scheme_parts_two_addresses(configure: Callable[..., Settings]) -> None:
    made = configure(people_urls=f"{SLACK}, {MAIL},json://x")

    assert made.people_urls == (SLACK, MAIL, "json://x")
    assert settings_environment(made)["CELLAR_PEOPLE_URLS"] == f"{SLACK},{MAIL},json://x"


@pytest.mark.parametrize("wrong", ["password-4711", "slack:password-4711", "://password-4711", f"{SLACK},mailto://"])
def test_address_without_scheme_or_place_is_wrong_and_is_not_repeated(
    configure: Callable[..., Settings], wrong: str
) -> None:
    with pytest.raises(ValidationError, match="CELLAR_PEOPLE_URLS: expected addresses of apprise") as raised:
        configure(people_urls=wrong)

    assert "4711" not in str(raised.value)

"""`cellar discrepancies list` lists discrepancies. Those without an archive are explained by id."""

import json

import pytest

from adapters.settings.settings import Settings
from cli.options import person
from models.discrepancies import SETTLEMENT_CODES, Discrepancy, DiscrepancyCode
from services.payments.discrepancies import reconcile_many
from tests.cli.conftest import Cellar
from tests.records import NOON

ME = person()
WITHOUT_AN_ARCHIVE = [
    Discrepancy(DiscrepancyCode.MISSING_IN_ARCHIVE, None, "a payment of 21.00 ILS", "none", f"row {row}")
    for row in range(2)
]


@pytest.fixture(autouse=True)
def _without_an_archive(sqlite_installation: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    reconcile_many({None: WITHOUT_AN_ARCHIVE}, SETTLEMENT_CODES, NOON)


def ids(cellar: Cellar, *arguments: str) -> list[str]:
    return [
        each["discrepancy_id"]
        for each in json.loads(cellar("discrepancies", "list", "--json", *arguments).output)["items"]
    ]


def test_discrepancy_without_an_archive_is_listed_and_explained_by_id(cellar: Cellar) -> None:
    first, second = ids(cellar, "--code", "MISSING_IN_ARCHIVE", "--reference", "")
    assert cellar("explain", "--id", first, "--why", "another till's", "--by", "Dana").status == 0

    assert (ids(cellar, "--state", "explained"), ids(cellar, "--state", "open")) == ([first], [second])
    shown = cellar("discrepancies", "list")
    assert (shown.status, f"another till's ({ME}, " in shown.output) == (0, True)
    assert all(each in shown.output for each in (first, second, "a payment of 21.00 ILS"))


def test_first_page_shows_the_cursor_of_the_next(cellar: Cellar) -> None:
    shown = cellar("discrepancies", "list", "--limit", "1").output
    cursor = shown.rpartition("--cursor ")[2].strip()

    assert ids(cellar, "--cursor", cursor) == ids(cellar)[1:]


@pytest.mark.parametrize(
    ("arguments", "status", "error"),
    [
        (("discrepancies", "list", "--code", "X"), 2, "--code"),
        (("discrepancies", "list", "--cursor", "X"), 2, "--cursor"),
        (("explain", "--id", "unknown", "--why", "w"), 1, "UNKNOWN_DISCREPANCY"),
        (("explain", "process-1", "MISSING_IN_ARCHIVE", "--id", "any", "--why", "w"), 2, "--id"),
        (("explain", "process-1", "--why", "w"), 2, "--id"),
        (("explain", "--why", "w"), 2, "--id"),
    ],
)
def test_wrong_use_names_the_option_or_the_unknown_id(
    cellar: Cellar, arguments: tuple[str, ...], status: int, error: str
) -> None:
    result = cellar(*arguments)

    assert (result.status, result.output) == (status, "")
    assert error in result.errors

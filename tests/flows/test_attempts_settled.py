"""Of several attempts at one payment, a report may have any that took money."""

from datetime import UTC, datetime
from typing import Any

import pytest

from adapters import catalogue
from tests.adapters.settlements import imported, line, matches, report, told
from tests.installations import archived
from tests.samples import sample_body, sample_document

pytestmark = pytest.mark.usefixtures("installation")

DAYS = {"paid": "2022-12-21", "settled": "2022-12-23"}
FIRST, SECOND = {"cguid": "c1", "auth_number": "0000011"}, {"cguid": "c2", "auth_number": "0000022"}
BY_FIRST, BY_SECOND = line("c1", **DAYS), line("c2", **DAYS)
BY_AUTHORISATION = line(auth="11", card="4580", **DAYS)


def body(year: int, *attempts: dict[str, str]) -> bytes:
    """An archive whose event was in a year, with charges at one transaction."""
    (made,) = sample_document()["payments"]
    result: dict[str, Any] = made["provider_transaction_result"]
    payments = [made | {"type": "charge", "provider_transaction_result": result | each} for each in attempts]
    event = {"type": "WHP_ARCHIVE", "timestamp": f"{year}-01-01T00:00:00"}
    return sample_body("process-1", event=event, payments=payments)


def settled_by(*lines: str) -> None:
    imported(report(*lines), now=datetime.now(UTC))


@pytest.mark.parametrize("row", [BY_FIRST, BY_SECOND, BY_AUTHORISATION])
@pytest.mark.parametrize("archive_comes_first", [True, False])
def test_payment_is_settled_by_any_attempt_that_took_money(row: str, *, archive_comes_first: bool) -> None:
    if archive_comes_first:
        archived("process-1", body(2023, FIRST, SECOND))
        settled_by(row)
    else:
        settled_by(row)
        archived("process-1", body(2023, FIRST, SECOND))

    archive = catalogue.archive("process-1")
    assert archive
    assert [each.standing for each in archive.payments] == ["settled"]
    assert told() == []


def test_both_attempts_settled_are_twice_what_was_paid() -> None:
    archived("process-1", body(2023, FIRST, SECOND))

    settled_by(BY_FIRST, BY_SECOND)

    assert told() == [("process-1", "SETTLED_AMOUNT_MISMATCH")]


def test_version_without_the_attempt_gives_its_row_back() -> None:
    archived("process-1", body(2023, FIRST, SECOND))
    settled_by(BY_FIRST)

    archived("process-1", body(2024, SECOND))

    assert matches() == [("none", None)]
    assert told() == [(None, "MISSING_IN_ARCHIVE"), ("process-1", "MISSING_IN_SETTLEMENT")]

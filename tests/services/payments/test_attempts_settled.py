"""A settlement report may contain any attempt at a payment that took money."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.installations import archive_of, archived
from tests.samples import sample_body, sample_document
from tests.settlements import imported, line, matches, report, reported

pytestmark = pytest.mark.usefixtures("installation")

DAYS = {"paid": "2022-12-21", "settled": "2022-12-23"}


def attempt(cguid: str, auth_number: str | None = None, **members: str | int) -> dict[str, Any]:
    """Return a charge of the sample's transaction."""
    made: dict[str, Any] = sample_document()["payments"][0]
    result = made["provider_transaction_result"] | {"cguid": cguid, "auth_number": auth_number}
    return made | {"type": "charge", "provider_transaction_result": result} | members


FIRST, SECOND = attempt("c1", "0000011"), attempt("c2", "0000022")
BY_FIRST, BY_SECOND = line("c1", **DAYS), line("c2", **DAYS)
BY_AUTHORISATION = line(auth="11", card="4580", **DAYS)


def body(year: int, *attempts: dict[str, Any]) -> bytes:
    """Return an archive with an event in a year, and with these attempts at one payment."""
    event = {"type": "WHP_ARCHIVE", "timestamp": f"{year}-01-01T00:00:00"}
    return sample_body("process-1", event=event, payments=list(attempts))


def settled_by(*lines: str) -> None:
    imported(report(*lines), now=datetime.now(UTC))


def standings() -> list[str]:
    archive = archive_of("process-1")
    return [each.standing for each in archive.payments]


@pytest.mark.parametrize("row", [BY_FIRST, BY_SECOND, BY_AUTHORISATION])
@pytest.mark.parametrize("archive_comes_first", [True, False])
def test_payment_is_settled_by_any_attempt_that_took_money(row: str, *, archive_comes_first: bool) -> None:
    if archive_comes_first:
        archived("process-1", body(2023, FIRST, SECOND))
        settled_by(row)
    else:
        settled_by(row)
        archived("process-1", body(2023, FIRST, SECOND))

    assert standings() == ["settled"]
    assert reported() == []


def test_attempt_that_may_have_taken_money_settles_despite_a_verification() -> None:
    pending, verified = attempt("c1", status="pending"), attempt("c2", type="verify_credit_card")
    archived("process-1", body(2023, pending, verified))
    assert standings() == ["unknown"]

    settled_by(BY_FIRST)

    assert standings() == ["settled"]
    assert reported() == []


def test_two_settled_attempts_exceed_the_amount_of_the_payment() -> None:
    archived("process-1", body(2023, FIRST, SECOND))

    settled_by(BY_FIRST, BY_SECOND)

    assert reported() == [("process-1", "SETTLED_AMOUNT_MISMATCH")]


@pytest.mark.parametrize("archive_comes_first", [True, False])
@pytest.mark.parametrize("other", [attempt("c1", status="failure"), attempt("c1", type="verify_credit_card")])
def test_row_of_an_attempt_without_money_is_a_discrepancy_of_its_archive(
    other: dict[str, Any], *, archive_comes_first: bool
) -> None:
    if archive_comes_first:
        archived("process-1", body(2023, other, SECOND))
    settled_by(BY_FIRST, BY_SECOND)
    if not archive_comes_first:
        archived("process-1", body(2023, other, SECOND))

    assert reported() == [("process-1", "MISSING_IN_ARCHIVE")]
    assert standings() == ["settled"]

    archived("process-1", body(2024, SECOND))
    assert reported() == [(None, "MISSING_IN_ARCHIVE")]


def test_attempt_is_matched_by_its_own_amount() -> None:
    archived("process-1", body(2023, attempt("c1", "0000011", amount=1000), SECOND))

    settled_by(line(auth="11", card="4580", **DAYS | {"amount": "10.00"}), BY_SECOND)

    assert sorted(how for how, _ in matches()) == ["authorisation", "cguid"]
    assert reported() == [("process-1", "AMOUNT_MISMATCH"), ("process-1", "SETTLED_AMOUNT_MISMATCH")]


def test_entry_becomes_unmatched_in_a_version_without_its_attempt() -> None:
    archived("process-1", body(2023, FIRST, SECOND))
    settled_by(BY_FIRST)

    archived("process-1", body(2024, SECOND))

    assert matches() == [("none", None)]
    assert reported() == [(None, "MISSING_IN_ARCHIVE"), ("process-1", "MISSING_IN_SETTLEMENT")]

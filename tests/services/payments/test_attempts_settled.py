"""What settles a payment: an entry for any attempt at it that took money. A hold ages until then."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.discrepancies import HOLD_CODES
from services.payments import recorded
from services.payments.holds import reconcile_all_holds, reconcile_holds
from tests.installations import archive_of, archived
from tests.samples import sample_body, sample_document
from tests.settlements import imported, line, matches, report, reported

ON_BOTH = pytest.mark.usefixtures("installation")
ON_SQLITE = pytest.mark.usefixtures("sqlite_installation")
DAYS = {"paid": "2022-12-21", "settled": "2022-12-23"}


def attempt(cguid: str, auth_number: str | None = None, **members: str | int) -> dict[str, Any]:
    """Return a charge of the sample's transaction."""
    made: dict[str, Any] = sample_document()["payments"][0]
    result = made["provider_transaction_result"] | {"cguid": cguid, "auth_number": auth_number}
    return made | {"type": "charge", "provider_transaction_result": result} | members


FIRST, SECOND = attempt("c1", "0000011"), attempt("c2", "0000022")
BY_FIRST, BY_SECOND = line("c1", **DAYS), line("c2", **DAYS)
BY_AUTHORISATION = line(auth="11", card="4580", **DAYS)


def sent(year: int, *attempts: dict[str, Any], reference: str = "process-1") -> None:
    """Archive an event in a year, with these attempts at one payment."""
    event = {"type": "WHP_ARCHIVE", "timestamp": f"{year}-01-01T00:00:00"}
    archived(reference, sample_body(reference, event=event, payments=list(attempts)))


def settled_by(*lines: str) -> None:
    imported(report(*lines), now=datetime.now(UTC))


def standings() -> list[str]:
    return [each.standing for each in archive_of("process-1").payments]


@ON_BOTH
@pytest.mark.parametrize("row", [BY_FIRST, BY_SECOND, BY_AUTHORISATION])
def test_payment_is_settled_by_any_attempt_that_took_money(row: str) -> None:
    sent(2023, FIRST, SECOND)

    settled_by(row)

    assert (standings(), reported()) == (["settled"], [])


@ON_BOTH
def test_entry_becomes_unmatched_in_a_version_without_its_attempt() -> None:
    sent(2023, FIRST, SECOND)
    settled_by(BY_FIRST)

    sent(2024, SECOND)

    assert matches() == [("none", None)]
    assert reported() == [(None, "MISSING_IN_ARCHIVE"), ("process-1", "MISSING_IN_SETTLEMENT")]


@ON_BOTH
@pytest.mark.parametrize("members", [{"status": "failure"}, {"type": "verify_credit_card"}])
def test_row_of_an_attempt_without_money_is_a_discrepancy_of_its_archive(members: dict[str, str]) -> None:
    settled_by(BY_FIRST, BY_SECOND)
    sent(2023, attempt("c1", **members), SECOND)

    assert (standings(), reported()) == (["settled"], [("process-1", "MISSING_IN_ARCHIVE")])

    sent(2024, SECOND)
    assert reported() == [(None, "MISSING_IN_ARCHIVE")]


@ON_BOTH
def test_attempt_is_matched_by_its_own_amount_and_two_settled_attempts_exceed_the_payment() -> None:
    sent(2023, attempt("c1", "0000011", amount=1000), SECOND)

    settled_by(line(auth="11", card="4580", **DAYS | {"amount": "10.00"}), BY_SECOND)

    assert sorted(how for how, _ in matches()) == ["authorisation", "cguid"]
    assert reported() == [("process-1", "AMOUNT_MISMATCH"), ("process-1", "SETTLED_AMOUNT_MISMATCH")]


def hold(cguid: str) -> dict[str, Any]:
    return attempt(cguid, type="hold")


def aging(reference: str) -> list[str]:
    return [each.found for each in recorded.not_closed_by_id(reference, HOLD_CODES).values()]


@ON_SQLITE
def test_only_a_hold_without_a_later_charge_or_entry_ages() -> None:
    sent(2023, hold("c1"))
    sent(2023, hold("c2"), attempt("c3", status="failure"), reference="tried again")
    sent(2023, hold("c4"), attempt("c5", "0000055"), reference="charged since")
    references = ["process-1", "tried again", "charged since"]

    reconcile_holds(references, datetime.now(UTC))
    assert [len(aging(each)) for each in references] == [1, 1, 0]

    settled_by(BY_FIRST)
    assert [len(aging(each)) for each in references] == [0, 1, 0]


@ON_SQLITE
def test_hold_without_a_day_ages_from_the_receipt_of_its_archive() -> None:
    document = sample_document()
    event, session = document["event"] | {"timestamp": None}, document["sessions"][0] | {"submitted_at": None}
    archived("process-1", sample_body("process-1", event=event, sessions=[session], payments=[hold("c1")]))
    came_at = archive_of("process-1").received_at

    reconcile_all_holds(came_at + timedelta(days=7))
    assert aging("process-1") == []

    reconcile_all_holds(came_at + timedelta(days=8))
    assert aging("process-1") == [f"held since {came_at:%Y-%m-%d}"]

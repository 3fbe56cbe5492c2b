"""Aged holds are reported until they are charged or released."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.discrepancies import HOLD_CODES
from services.payments import recorded
from services.payments.holds import reconcile_all_holds, reconcile_holds
from tests.installations import archive_of, archived
from tests.samples import sample_body, sample_document
from tests.settlements import imported, line, report

HELD = {"type": "hold"}


@pytest.mark.usefixtures("sqlite_installation")
def test_settled_hold_is_no_longer_aged() -> None:
    hold = sample_document()["payments"][0] | HELD
    archived("process-1", sample_body("process-1", payments=[hold]))
    assert [each.code for each in recorded.not_closed_by_id("process-1", HOLD_CODES).values()] == ["AGING_HOLD"]
    archive = archive_of("process-1")
    paid_on = archive.payments[0].paid_on

    imported(report(line(hold["provider_transaction_result"]["cguid"], paid=paid_on, settled=paid_on)))

    assert recorded.not_closed_by_id("process-1", HOLD_CODES) == {}


CHARGE = {"type": "charge"}
OLD: list[tuple[str, list[dict[str, str]], bool]] = [
    ("a hold", [HELD], True),
    ("a hold that was tried again", [HELD, CHARGE | {"status": "failure"}], True),
    ("a charge", [CHARGE], False),
    ("a verification", [{}], False),
    ("a hold that failed", [HELD | {"status": "failure"}], False),
    ("a hold with a later charge", [HELD, CHARGE], False),
]


@pytest.mark.usefixtures("sqlite_installation")
def test_only_a_hold_without_a_later_charge_ages() -> None:
    (payment,) = sample_document()["payments"]
    for name, attempts, _ in OLD:
        archived(name, sample_body(name, payments=[payment | each for each in attempts]))

    reconcile_holds([name for name, *_ in OLD], datetime.now(UTC))

    found = {name: [each.code for each in recorded.not_closed_by_id(name, HOLD_CODES).values()] for name, *_ in OLD}
    assert found == {name: ["AGING_HOLD"] * grows_old for name, _, grows_old in OLD}


def dateless(reference: str) -> bytes:
    """Return an archive with a hold that has no day."""
    document: dict[str, Any] = sample_document()
    document["sessions"][0]["submitted_at"] = None
    return sample_body(
        reference,
        event=document["event"] | {"timestamp": None},
        sessions=document["sessions"],
        payments=[document["payments"][0] | HELD],
    )


@pytest.mark.usefixtures("sqlite_installation")
def test_hold_without_a_day_ages_from_the_receipt_of_its_archive() -> None:
    archived("process-1", dateless("process-1"))
    archive = archive_of("process-1")
    came_at = archive.received_at

    reconcile_all_holds(came_at + timedelta(days=7))
    assert recorded.not_closed_by_id("process-1", HOLD_CODES) == {}

    reconcile_all_holds(came_at + timedelta(days=8))
    (old,) = recorded.not_closed_by_id("process-1", HOLD_CODES).values()
    assert (old.code, old.found) == ("AGING_HOLD", f"held since {came_at:%Y-%m-%d}")

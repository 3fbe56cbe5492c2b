"""The nightly flow judges what time changes, and completes what a killed process has left undone."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from adapters.database.transactions import writing
from adapters.settings.settings import Settings
from adapters.store.objects import kept_discrepancies
from flows.reevaluate_payments import reevaluate_payments
from models.completeness.processes import SessionEventRow
from models.discrepancies import DiscrepancyEventRow
from models.sources import StatedTerms
from models.views.archives.payments import DiscrepancyView, Explanation
from services import sources
from services.payments import discrepancies
from tests.conftest import Configure
from tests.installations import archive_of, archived, stored_discrepancies
from tests.payments import booked, payment, settled
from tests.records import NOON
from tests.samples import sample_body
from tests.settlements import covering, imported, report, reported

pytestmark = pytest.mark.usefixtures("prefect")

TODAY = datetime.now(UTC).date()


def nightly() -> None:
    asyncio.run(reevaluate_payments())


def shown(reference: str = "process-1") -> list[DiscrepancyView]:
    archive = archive_of(reference)
    return archive.discrepancies


def held(days: int) -> dict[str, object]:
    """Return the archive's payment as a hold that is some days old."""
    return payment("process-1", "t", standing="held", paid_on=TODAY - timedelta(days=days))


def test_aging_hold_stays_explained(configure: Configure, installation: Settings) -> None:
    archived("process-1", sample_body())
    booked("process-1", held(8), payment("process-1", "u", 1, standing="held", paid_on=TODAY - timedelta(days=7)))
    nightly()
    (found,) = shown()
    assert (found.code, found.transaction_id, found.state) == ("AGING_HOLD", "t", "open")

    discrepancies.explain(found.discrepancy_id, Explanation(by="Dana", why="a long trip"), datetime.now(UTC))
    booked("process-1", held(8))
    nightly()
    assert [each.state for each in shown()] == ["explained"]

    settled(str(held(8)["payment_id"]), 2100, TODAY)
    nightly()
    assert shown() == []

    configure(hold_days=30)
    booked("process-1", held(29) | {"payment_id": "another"})
    nightly()
    assert shown() == []


@pytest.mark.usefixtures("sqlite_installation")
def test_late_charge_without_an_entry_is_missing_in_settlement() -> None:
    paid_on = TODAY - timedelta(days=10)
    archived("process-1", sample_body())
    booked("process-1", payment("process-1", "t", paid_on=paid_on))
    imported(report(*covering(paid_on, paid_on)), now=datetime.now(UTC) - timedelta(days=8))
    assert shown() == []

    nightly()

    assert [(each.code, each.transaction_id) for each in shown()] == [("MISSING_IN_SETTLEMENT", "t")]


@pytest.mark.usefixtures("sqlite_installation")
def test_duplicate_loaded_by_a_killed_run_is_reported_in_both_archives() -> None:
    for reference in ("process-1", "process-2"):
        archived(reference, sample_body(reference))
        booked(reference, payment(reference, "t"))
    assert reported() == []

    nightly()

    assert reported() == [("process-1", "DUPLICATE_TRANSACTION"), ("process-2", "DUPLICATE_TRANSACTION")]


@pytest.mark.usefixtures("sqlite_installation")
def test_nightly_flow_stores_history_that_a_killed_process_did_not_store() -> None:
    archived("process-1", sample_body())
    booked("process-1", held(8))
    nightly()
    (found,) = shown()
    kept = stored_discrepancies("process-1")
    with writing() as session:  # as if killed before the history was stored
        key = found.discrepancy_id
        event = DiscrepancyEventRow(discrepancy_id=key, number=2, state="explained", at=NOON, by="Dana", why="a trip")
        session.add(event)
        kept_discrepancies.count(session, ["process-1"])
    assert stored_discrepancies("process-1") == kept

    nightly()

    assert [each["state"] for each in stored_discrepancies("process-1")["discrepancy_event"]] == ["open", "explained"]
    assert kept_discrepancies.unkept() == []


@pytest.mark.usefixtures("sqlite_installation")
def test_clock_that_is_wrong_by_a_zone_is_one_warning_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    now = datetime.now(UTC)
    sources.add("loans", StatedTerms(), "Dana", now)
    with writing() as session:
        for number in range(5):
            received_at = now - timedelta(hours=number)
            session.add(
                SessionEventRow(
                    event_id=str(number),
                    source="loans",
                    type="WHEF_SESSION_CREATED",
                    is_known=True,
                    event_at=received_at + timedelta(hours=5, minutes=30),
                    received_at=received_at,
                )
            )

    nightly()

    warnings = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert [
        each for each in warnings if "source loans: 5 of 5" in each and "--timezone Asia/Kolkata" in each
    ] == warnings
    assert len(warnings) == 1

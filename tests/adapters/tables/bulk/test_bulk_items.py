"""Which archives of bulk re-runs hold a place, so that no further archive starts."""

from datetime import UTC, datetime, timedelta

import pytest

from adapters.tables.bulk import bulk_items
from adapters.tables.runs import runs
from models.archive.archive import State
from models.errors import System
from models.runs.cause import Cause
from models.runs.run import RunRow, RunState, Trigger
from models.views.archives.archives import ArchiveFilter
from services.bulk import planning
from tests.bulk import fill, filled, receipt_id

NOW = datetime.now(UTC)
REFERENCE = "filled-000001"
RECEIPT = receipt_id(REFERENCE)
LOCKED = Cause("KEY_AWAY", "persist-files", "Locked", "the key of the archive is not there")


def started(state: State, at: datetime) -> None:
    """Start the run of an archive in a bulk re-run."""
    fill([filled(1, state)])
    plan = planning.plan(ArchiveFilter(state=state), "ann@host")
    planning.freeze(plan.id, "ann@host")
    assert bulk_items.mark_started(plan.id, 1, RECEIPT, at)
    bulk_items.set_run(plan.id, 1, "run-1")


def begun(attempt: int) -> None:
    row = RunRow(
        flow_run_id="run-1",
        attempt=attempt,
        reference=REFERENCE,
        receipt_id=RECEIPT,
        trigger=Trigger.BULK,
        state=RunState.RUNNING,
        started_at=NOW,
    )
    runs.begin(row)


@pytest.mark.parametrize("state", [State.FAILED, State.COMPLETED])
def test_archive_that_waits_gives_its_place_back_until_it_is_tried_again(state: State) -> None:
    started(state, NOW)
    begun(1)
    runs.wait("run-1", 1, System.KEY, NOW, LOCKED)
    assert bulk_items.in_flight(NOW + timedelta(minutes=4)) == 1
    assert bulk_items.in_flight(NOW + timedelta(minutes=6)) == 0

    begun(2)

    assert bulk_items.in_flight(NOW + timedelta(minutes=6)) == 1


def test_archive_whose_run_never_ends_gives_its_place_back_within_hours() -> None:
    started(State.FAILED, NOW)
    begun(1)

    assert bulk_items.in_flight(NOW + timedelta(minutes=59)) == 1
    assert bulk_items.in_flight(NOW + timedelta(minutes=61)) == 0

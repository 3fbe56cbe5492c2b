"""Recorded runs: how each attempt began, waited and ended."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from adapters.tables.open_conditions import open_conditions, open_numbers
from adapters.tables.runs import receipts, runs
from adapters.tables.runs.waiting import Wait
from models.access import CELLAR
from models.archive.archive import State
from models.errors import System
from models.runs.receipt import Cause, RunState
from models.said import verbatim
from models.store.condition import DerivedCode
from models.views.archives.archives import ArchiveQuery, RunView
from services.views import archive_list
from tests.installations import archive_of
from tests.records import NOON, delivery, registered, run_row

AWAY = Cause("STORE_AWAY", "persist-files", "Transient", verbatim("the folder does not take a file: ENOSPC"))


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def begun(flow_run_id: str = "run-1", attempt: int = 1, at: float = 0) -> None:
    runs.begin(run_row(flow_run_id, registered(), attempt=attempt, started_at=later(at)))


def recorded() -> list[RunView]:
    registered()
    archive = archive_of("r")
    return archive.runs


def waits() -> list[tuple[str, int, datetime | None]]:
    return [(each.key, each.subjects, each.first_at) for each in open_conditions((DerivedCode.SYSTEM_AWAY,))]


def test_run_is_recorded_from_begin_to_end() -> None:
    begun()
    assert [(each.state, each.ended_at) for each in recorded()] == [("Running", None)]

    runs.end(
        "run-1",
        1,
        RunState.FAILED,
        State.FAILED,
        later(5),
        Cause("NOT_BASE64", "load-metadata", "Refused", verbatim("why")),
    )

    (run,) = recorded()
    assert (run.state, run.failed_task, run.trigger) == ("Failed", "load-metadata", "webhook")
    assert (run.started_at, run.ended_at) == (NOON, later(5))
    assert run.url is None  # Prefect has removed a run that ended so long ago


def test_repeated_beginning_or_end_of_a_run_changes_nothing() -> None:
    begun()
    runs.end("run-1", 1, RunState.COMPLETED, State.COMPLETED, later(5))
    begun(at=9)
    runs.end("run-1", 1, RunState.CRASHED, State.FAILED, later(9))

    assert [(each.state, each.started_at, each.ended_at) for each in recorded()] == [("Completed", NOON, later(5))]


def test_killed_attempt_crashes_when_the_next_begins_which_it_cannot_end() -> None:
    begun()
    begun(attempt=2, at=7)
    runs.end("run-1", 1, RunState.CRASHED, State.RECEIVED, later(50))

    assert [(each.attempt, each.state, each.ended_at) for each in recorded()] == [
        (1, "Crashed", later(7)),
        (2, "Running", None),
    ]


def test_attempts_of_a_flow_run_count_as_one_ended_run_and_one_that_waits_as_none() -> None:
    assert runs.ended_runs(registered()) == 0
    begun()
    assert runs.ended_runs(registered()) == 0
    runs.end("run-1", 1, RunState.FAILED, State.FAILED, later(1))
    begun(attempt=2)
    runs.end("run-1", 2, RunState.FAILED, State.FAILED, later(2))
    assert runs.ended_runs(registered()) == 1
    begun("run-2")
    runs.end("run-2", 1, RunState.COMPLETED, State.COMPLETED, later(3))
    assert runs.ended_runs(registered()) == 2
    begun("run-3")
    runs.wait("run-3", 1, System.STORE, later(4), AWAY)
    assert runs.ended_runs(registered()) == 2
    assert runs.ended_runs("another") == 0


def test_any_attempt_since_a_time_counts_as_begun() -> None:
    begun("old")
    begun("retried")
    begun("retried", attempt=2, at=9)
    begun("new", at=8)
    begun("not asked for", at=9)

    assert runs.begun_since(["old", "retried", "new", "unknown"], later(8)) == {"retried", "new"}
    assert runs.begun_since([], later(0)) == set()


def _waits(attempt: int, at: float) -> None:
    begun(attempt=attempt, at=at)
    runs.wait("run-1", attempt, System.STORE, later(at), AWAY)


def test_waiting_run_leaves_its_archive_processing_with_a_cause_since_its_first_attempt() -> None:
    _waits(1, 5)

    archive = archive_of("r")
    assert archive.cause
    assert (archive.state, archive.cause.code, archive.cause.since) == ("processing", "STORE_AWAY", later(5))
    assert [each.state for each in archive.runs] == ["AwaitingRetry"]
    assert waits() == [("store", 1, later(5))]

    begun(attempt=2, at=20)
    assert runs.wait("run-1", 2, System.CLAMAV, later(30), AWAY) == Wait(later(5), 2)
    assert waits() == [("ClamAV", 1, later(5))]


@pytest.mark.parametrize(
    ("flow_run_id", "attempt", "ended", "receipt", "waits"),
    [
        ("run-1", 2, RunState.COMPLETED, State.COMPLETED, 0),
        ("run-1", 2, RunState.FAILED, State.FAILED, 0),
        ("run-1", 2, RunState.CRASHED, State.RECEIVED, 1),  # it goes on
        ("run-1", 2, RunState.CRASHED, State.FAILED, 0),
        ("run-2", 1, RunState.COMPLETED, State.COMPLETED, 0),  # Prefect has forgotten the first run
    ],
)
def test_run_waits_until_it_or_the_next_run_of_its_receipt_ends(
    flow_run_id: str, attempt: int, ended: RunState, receipt: State, waits: int
) -> None:
    _waits(1, 5)
    begun(flow_run_id, attempt, at=20)

    runs.end(flow_run_id, attempt, ended, receipt, later(30))

    assert len(open_numbers(DerivedCode.SYSTEM_AWAY)) == waits


def test_run_that_a_person_cancels_while_it_waits_is_cancelled_in_the_history() -> None:
    _waits(1, 5)
    _waits(2, 20)

    assert runs.record_unseen(run_row("run-1", registered(), state=RunState.CANCELLED, ended_at=later(60)))
    assert not runs.record_unseen(run_row("run-1", registered(), state=RunState.CANCELLED, ended_at=later(90)))

    assert [(each.state, each.ended_at) for each in recorded()] == [
        ("AwaitingRetry", later(5)),
        ("Cancelled", later(60)),
    ]
    assert (runs.ended_runs(registered()), open_numbers(DerivedCode.SYSTEM_AWAY)) == (1, {})


def test_attempt_that_was_taken_for_dead_does_not_wait() -> None:
    begun()
    begun(attempt=2, at=20)

    assert runs.wait("run-1", 1, System.STORE, later(30), AWAY) is None
    assert open_numbers(DerivedCode.SYSTEM_AWAY) == {}


def test_run_crashes_since_the_first_of_its_last_attempts_that_crashed() -> None:
    """A run that waited for days, or is retried in Prefect, has not crashed since its first attempt."""
    assert runs.crashing_since("run-1", later(0), later(90)) == later(0)
    begun(at=0)
    _waits(2, 5)
    assert runs.crashing_since("run-1", later(0), later(90)) == later(90)
    begun(attempt=3, at=20)
    runs.end("run-1", 3, RunState.CRASHED, State.RECEIVED, later(30))
    begun(attempt=4, at=40)

    assert runs.crashing_since("run-1", later(0), later(90)) == later(20)


def test_archive_that_failed_before_its_first_task_has_the_numbers_of_its_delivery() -> None:
    receipts.register_all([replace(delivery("failed"), process_number=205, template_id="lease")])

    (found,) = archive_list.page(ArchiveQuery(process_number=205, template="lease"), CELLAR).items
    assert found.reference == "failed"

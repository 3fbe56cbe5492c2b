"""Recorded runs, and the lease: two runs never work on the same process at once."""

import threading
from datetime import datetime, timedelta

import pytest

from adapters.database import runs
from models.archive.archive import State
from models.runs.cause import Cause
from models.runs.run import RunRow, RunState, Trigger
from models.views.archives import RunView
from services.views import archive_view
from tests.records import NOON, registered

pytestmark = pytest.mark.usefixtures("installation")


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def begun(flow_run_id: str = "run-1", attempt: int = 1, at: float = 0) -> None:
    runs.begin(
        RunRow(
            flow_run_id=flow_run_id,
            attempt=attempt,
            reference="r",
            receipt_id=registered(),
            trigger=Trigger.WEBHOOK,
            state=RunState.RUNNING,
            started_at=later(at),
        )
    )


def recorded() -> list[RunView]:
    registered()
    archive = archive_view.archive("r")
    assert archive
    return archive.runs


def test_run_is_recorded_from_begin_to_end() -> None:
    begun()
    assert [(each.state, each.ended_at) for each in recorded()] == [("Running", None)]

    runs.end(
        "run-1", 1, RunState.FAILED, State.FAILED, later(5), Cause("NOT_BASE64", "load-metadata", "Refused", "why")
    )

    (run,) = recorded()
    assert (run.state, run.failed_task, run.trigger) == ("Failed", "load-metadata", "webhook")
    assert (run.started_at, run.ended_at) == (NOON, later(5))
    assert run.url.endswith("/runs/flow-run/run-1")


def test_beginning_a_recorded_run_again_changes_nothing() -> None:
    begun()
    runs.end("run-1", 1, RunState.COMPLETED, State.COMPLETED, later(5))
    begun(at=9)

    assert [(each.state, each.started_at) for each in recorded()] == [("Completed", NOON)]


def test_ending_an_ended_run_changes_nothing() -> None:
    begun()
    runs.end("run-1", 1, RunState.COMPLETED, State.COMPLETED, later(5))
    runs.end("run-1", 1, RunState.CRASHED, State.FAILED, later(9))

    assert [(each.state, each.ended_at) for each in recorded()] == [("Completed", later(5))]


def test_killed_attempt_becomes_crashed_when_the_next_begins() -> None:
    begun()
    begun(attempt=2, at=7)

    assert [(each.attempt, each.state, each.ended_at) for each in recorded()] == [
        (1, "Crashed", later(7)),
        (2, "Running", None),
    ]


def test_attempts_of_a_flow_run_count_as_one_ended_run() -> None:
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
    assert runs.ended_runs("another") == 0


def test_any_attempt_since_a_time_counts_as_begun() -> None:
    begun("old")
    begun("retried")
    begun("retried", attempt=2, at=9)
    begun("new", at=8)
    begun("not asked for", at=9)

    assert runs.begun_since(["old", "retried", "new", "unknown"], later(8)) == {"retried", "new"}
    assert runs.begun_since([], later(0)) == set()


def test_lease_has_one_holder() -> None:
    assert runs.take_lease("r", "one", 30)
    assert not runs.take_lease("r", "other", 30)
    assert runs.take_lease("another", "other", 30)


def test_holder_renews_its_lease() -> None:
    runs.take_lease("r", "run-1:1", 30)
    first = runs.lease_expiry("run-1")

    assert runs.take_lease("r", "run-1:1", 30)

    renewed = runs.lease_expiry("run-1")
    assert first
    assert renewed
    assert first < renewed < first + timedelta(seconds=30)
    assert not runs.take_lease("r", "other", 30)


def test_lease_of_a_dead_holder_expires() -> None:
    runs.take_lease("r", "dead", -0.001)

    assert runs.take_lease("r", "next", 30)
    assert not runs.take_lease("r", "dead", 30)


def test_released_lease_is_free_at_once() -> None:
    runs.take_lease("r", "one", 30)
    runs.release_lease("r", "one")

    assert runs.take_lease("r", "other", 30)


def test_late_release_does_not_free_the_lease_of_the_next_holder() -> None:
    runs.take_lease("r", "slow", -1)
    runs.take_lease("r", "next", 30)

    runs.release_lease("r", "slow")

    assert not runs.take_lease("r", "third", 30)


@pytest.mark.parametrize("expired", [False, True], ids=["none yet", "one expired"])
def test_exactly_one_of_many_concurrent_holders_gets_the_lease(expired: bool) -> None:
    for number in range(5):
        reference = f"process {number}"
        if expired:
            runs.take_lease(reference, "dead", -3600)
        start, got = threading.Barrier(6), list[str]()

        def take(
            holder: str, reference: str = reference, start: threading.Barrier = start, got: list[str] = got
        ) -> None:
            start.wait()
            if runs.take_lease(reference, holder, 30):
                got.append(holder)

        threads = [threading.Thread(target=take, args=(f"holder {each}",)) for each in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(got) == 1


def test_superseded_attempt_cannot_end_the_run() -> None:
    begun(attempt=1)
    begun(attempt=2, at=40)

    runs.end("run-1", 1, RunState.CRASHED, State.RECEIVED, later(50))

    assert [each.state for each in recorded()] == ["Crashed", "Running"]


def test_only_the_leases_of_the_given_run_are_released() -> None:
    runs.take_lease("r", "run-1:2", 30)
    runs.take_lease("another", "run-10:1", 30)

    runs.release_leases_of("run-1")

    assert runs.take_lease("r", "run-2:1", 30)
    assert not runs.take_lease("another", "run-2:1", 30)
    assert runs.lease_expiry("run-1") is None

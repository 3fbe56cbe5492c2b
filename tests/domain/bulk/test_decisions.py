"""What a bulk re-run starts next, and what became of its archives."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.bulk.decisions import AT_ONCE, AT_ONCE_BESIDE_NEW, RUNNABLE, Flight, end_of, room, seconds_for, skipped
from models.archive.archive import State
from models.runs.bulk import ItemState, Skipped
from models.runs.run import RunState


def flight(run: RunState | None, receipt: State | None) -> Flight:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    return Flight(1, "r", "receipt", State.FAILED, noon, "run", run, receipt)


@pytest.mark.parametrize(
    ("run", "receipt", "became"),
    [
        (None, State.RECEIVED, None),
        (RunState.RUNNING, State.PROCESSING, None),
        (RunState.AWAITING_RETRY, State.PROCESSING, None),
        (RunState.COMPLETED, State.COMPLETED, ItemState.COMPLETED),
        (RunState.FAILED, State.FAILED, ItemState.FAILED),
        (RunState.FAILED, State.COMPLETED, ItemState.FAILED),
        (RunState.CANCELLED, State.FAILED, ItemState.FAILED),
        (RunState.CRASHED, State.RECEIVED, None),
        (RunState.CRASHED, State.FAILED, ItemState.FAILED),
    ],
)
def test_end_of_a_run_decides_what_became_of_its_archive(
    run: RunState | None, receipt: State, became: ItemState | None
) -> None:
    assert end_of(flight(run, receipt)) is became


@given(st.integers(0, 50), st.integers(0, 50))
def test_runs_on_their_way_never_exceed_the_limit_and_new_archives_lower_it(in_flight: int, new: int) -> None:
    free = room(in_flight, new)

    assert free >= 0
    assert free == 0 or in_flight + free == (AT_ONCE_BESIDE_NEW if new else AT_ONCE)


def test_bulk_re_run_goes_on_beside_any_number_of_new_archives() -> None:
    assert room(0, 10_000) >= 1


@pytest.mark.parametrize("was", RUNNABLE)
def test_archive_that_still_needs_a_run_is_not_skipped(was: State) -> None:
    assert skipped(was, was) is None
    assert skipped(was, State.FAILED) is None


def test_archive_that_needs_no_run_any_longer_is_skipped_with_the_reason() -> None:
    assert skipped(State.FAILED, State.COMPLETED) is Skipped.COMPLETED_SINCE
    assert skipped(State.FAILED, State.RECEIVED) is Skipped.ON_ITS_WAY
    assert skipped(State.COMPLETED, State.PROCESSING) is Skipped.ON_ITS_WAY
    assert skipped(State.FAILED, None) is Skipped.GONE


def test_time_follows_from_the_median_of_recent_runs() -> None:
    assert seconds_for(AT_ONCE * 10, [1.0, 2.0, 60.0]) == 20.0
    assert seconds_for(10, []) is None

"""Decides what a bulk re-run does next, and what became of its archives."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import TypeVar

from models.archive.archive import State
from models.runs.bulk import ItemState, Skipped
from models.runs.run import RunState

Key = TypeVar("Key")
AT_ONCE = 2
"""The runs of bulk re-runs that are on their way at once. A worker works on sixteen."""
AT_ONCE_BESIDE_NEW = 1
RUNNABLE = (State.FAILED, State.COMPLETED)
"""An archive in another state has a run on its way."""


@dataclass(frozen=True, slots=True)
class Flight:
    """A started archive of a bulk re-run: its place in the list, and what the history of runs knows of its run.

    `run_state` is the state of the newest attempt, None before the first attempt began. `asked_at` is the time at which
    the run was asked for.
    """

    position: int
    reference: str
    receipt_id: str
    was: State
    asked_at: datetime | None
    flow_run_id: str | None
    run_state: RunState | None
    receipt_state: State | None


def end_of(flight: Flight) -> ItemState | None:
    """Return what became of a started archive, None while its run is on its way. Pure.

    A crashed attempt is followed by another attempt, unless it was the last and the receipt has failed.
    """
    if flight.run_state is RunState.COMPLETED:
        return ItemState.COMPLETED
    if flight.run_state in (RunState.FAILED, RunState.CANCELLED):
        return ItemState.FAILED
    if flight.run_state is RunState.CRASHED and flight.receipt_state is State.FAILED:
        return ItemState.FAILED
    return None


def room(in_flight: int, new_archives: int) -> int:
    """Return how many further runs may start. New archives go first: beside them, the limit is one run. Pure."""
    return max(0, (AT_ONCE_BESIDE_NEW if new_archives else AT_ONCE) - in_flight)


def skipped(was: State, is_now: State | None) -> Skipped | None:
    """Return why an archive of a frozen list no longer needs a run, None if it still needs a run. Pure."""
    if is_now is None:
        return Skipped.GONE
    if is_now not in RUNNABLE:
        return Skipped.ON_ITS_WAY
    if is_now is State.COMPLETED and was is not State.COMPLETED:
        return Skipped.COMPLETED_SINCE
    return None


def seconds_for(archives: int, durations_s: Sequence[float]) -> float | None:
    """Return how long archives take at the pace of recent runs, None if there were none. Pure."""
    return archives * median(durations_s) / AT_ONCE if durations_s else None


def summed(numbers: Iterable[tuple[Key, int]]) -> dict[Key, int]:
    """Add up numbers by key, the largest sum first. Pure."""
    sums: Counter[Key] = Counter()
    for key, number in numbers:
        sums[key] += number
    return dict(sums.most_common())

"""Measures an engine: latency when idle, a burst, a thousand archives in a minute, memory."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import quantiles

from benchmarks import history
from benchmarks.archives import references
from benchmarks.complaints import complaints
from benchmarks.history import CompletedRun
from benchmarks.installations import Installation
from benchmarks.posting import Posted, post, post_at_once, post_within
from benchmarks.recording import TASKS_OF_A_RUN, watched

_LANES = 16
_MINUTE_S = 60
_PAUSE_S = (0.3, 1.0)
_LOOK_AGAIN_S = 0.25
_COUNT_EVERY_S = 0.5
_NO_PROGRESS_S = 90
_QUIET_WITHIN_S = 3


@dataclass(frozen=True, slots=True)
class Idle:
    """Seconds from each acknowledgement to Completed."""

    latencies_s: list[float]


@dataclass(frozen=True, slots=True)
class Burst:
    """Archives posted as fast as they are acknowledged.

    `runs_per_s` counts from the first post until all runs are Completed and their task runs are recorded.
    `visible_p95_s` is the time from a run's end until all its task runs are visible.
    """

    posted: int
    completed: int
    recorded: int
    posted_within_s: float
    runs_per_s: float
    visible_p95_s: float


@dataclass(frozen=True, slots=True)
class Minute:
    """Archives posted evenly over a minute.

    `drained_s` is the time from the last post to the last Completed. The order of starts is compared with the order of
    acknowledgements: `inversions` is the share of pairs in the wrong order, `largest_displacement` the most places that
    a run is off. `complaints` counts lines in the logs of all programs.
    """

    posted: int
    acknowledged: int
    completed: int
    recorded: int
    acknowledged_p99_s: float
    drained_s: float
    runs_per_s: float
    visible_p95_s: float
    inversions: float
    largest_displacement: int
    complaints: dict[str, int]


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory of the idle worker and its children after a number of runs."""

    runs: int
    rss_mb: float


async def idle(site: Installation, template: bytes, count: int) -> Idle:
    """Measure the latency of archives one after the other, with a pause before each."""
    return Idle([await taken_s(site, template, reference) for reference in references(count)])


async def taken_s(site: Installation, template: bytes, reference: str) -> float:
    """Post an archive after a pause, and return the seconds from its acknowledgement to Completed."""
    await asyncio.sleep(random.uniform(*_PAUSE_S))
    posted = await post(site.receiver, template, reference)
    deadline = time.monotonic() + _NO_PROGRESS_S
    while time.monotonic() < deadline:
        await asyncio.sleep(_LOOK_AGAIN_S)
        for run in await history.completed_runs(site.prefect, [reference]):
            return run.ended_at - posted.answered_at
    raise TimeoutError(f"a run did not complete; see {site.log_folder}")


async def burst(site: Installation, template: bytes, count: int) -> Burst:
    drained = await _drained(site, count, lambda new: post_at_once(site.receiver, template, new, _LANES))
    return Burst(
        posted=count,
        completed=len(drained.runs),
        recorded=len(drained.recorded_at),
        posted_within_s=drained.last_posted_at - drained.first_posted_at,
        runs_per_s=drained.runs_per_s,
        visible_p95_s=drained.visible_p95_s,
    )


async def minute(site: Installation, template: bytes, count: int) -> Minute:
    drained = await _drained(site, count, lambda new: post_within(site.receiver, template, new, _MINUTE_S))
    taken_s = [each.answered_at - each.begun_at for each in drained.posted]
    acknowledged = [each.reference for each in sorted(drained.posted, key=lambda each: each.answered_at)]
    inversions, largest = disorder(acknowledged, [run.reference for run in drained.runs])
    return Minute(
        posted=count,
        acknowledged=sum(each.is_acknowledged for each in drained.posted),
        completed=len(drained.runs),
        recorded=len(drained.recorded_at),
        acknowledged_p99_s=quantiles(taken_s, n=100, method="inclusive")[98],
        drained_s=drained.last_ended_at - drained.last_posted_at,
        runs_per_s=drained.runs_per_s,
        visible_p95_s=drained.visible_p95_s,
        inversions=inversions,
        largest_displacement=largest,
        complaints=complaints(site.log_folder),
    )


async def memory(site: Installation, template: bytes, count: int) -> Memory:
    """Measure memory after a burst of `count` runs."""
    await burst(site, template, count)
    await asyncio.sleep(_QUIET_WITHIN_S)
    return Memory(await history.count_runs(site.prefect), site.worker_rss_bytes() / 1e6)


def disorder(due: Sequence[str], found: Sequence[str]) -> tuple[float, int]:
    """Return the share of pairs in the wrong order, and the largest distance from the due place."""
    place = {each: number for number, each in enumerate(each for each in due if each in set(found))}
    places = [place[each] for each in found]
    pairs = len(places) * (len(places) - 1) // 2
    wrong = sum(first > second for first, second in combinations(places, 2))
    return wrong / max(1, pairs), max((abs(number - each) for number, each in enumerate(places)), default=0)


@dataclass(frozen=True, slots=True)
class _Drained:
    """Posted archives and their runs."""

    posted: list[Posted]
    runs: list[CompletedRun]
    recorded_at: dict[str, float]

    @property
    def first_posted_at(self) -> float:
        return min(each.begun_at for each in self.posted)

    @property
    def last_posted_at(self) -> float:
        return max(each.answered_at for each in self.posted)

    @property
    def last_ended_at(self) -> float:
        return max(run.ended_at for run in self.runs)

    @property
    def runs_per_s(self) -> float:
        return len(self.recorded_at) / (max(self.last_ended_at, *self.recorded_at.values()) - self.first_posted_at)

    @property
    def visible_p95_s(self) -> float:
        """Seconds from the end of a run to its recorded task runs; 0 if they were recorded before."""
        delays_s = [
            max(0.0, self.recorded_at[run.flow_run_id] - run.ended_at)
            for run in self.runs
            if run.flow_run_id in self.recorded_at
        ]
        return quantiles(delays_s, n=20, method="inclusive")[18]


async def _drained(
    site: Installation, count: int, post_all: Callable[[Sequence[str]], Awaitable[list[Posted]]]
) -> _Drained:
    """Post archives, and wait until their runs are Completed and recorded, or nothing changes any longer."""
    runs_before = await history.count_runs(site.prefect)
    tasks_before = await history.count_task_runs(site.prefect)
    new = references(count)
    with watched(site.prefect_database_url) as seen_at:
        posted = await post_all(new)
        await reached(lambda: history.count_runs(site.prefect), runs_before + count)
        await reached(lambda: history.count_task_runs(site.prefect), tasks_before + TASKS_OF_A_RUN * count)
    runs = await history.completed_runs(site.prefect, new)
    recorded_at = {run.flow_run_id: seen_at[run.flow_run_id] for run in runs if run.flow_run_id in seen_at}
    if len(recorded_at) < 2:
        raise TimeoutError(f"the runs did not complete; see {site.log_folder}")
    return _Drained(posted, runs, recorded_at)


async def reached(count: Callable[[], Awaitable[int]], wanted: int) -> None:
    """Wait until a count is reached or has stopped growing; missing runs then show in the figures."""
    largest, changed = -1, time.monotonic()
    while largest < wanted and time.monotonic() - changed < _NO_PROGRESS_S:
        if (found := await count()) > largest:
            largest, changed = found, time.monotonic()
        await asyncio.sleep(_COUNT_EVERY_S)

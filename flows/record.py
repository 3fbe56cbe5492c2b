"""Puts a run on record, and keeps the process to itself while it works."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from prefect import get_run_logger
from prefect.exceptions import TerminationSignal

from adapters import history, runs
from flows.engine import hand_back, is_cancelled_by_person
from models.archive import State
from models.errors import Transient
from models.run import RunRow, RunState, Trigger

_LEASE_S = 30
_RENEWAL_S = 10
_POLL_S = 1
_LONGEST_WAIT_S = 600
_RECORD_PAUSES_S = (1, 3, 9)


class Busy(Transient):
    """Another run works on the process."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run as Prefect knows it; `attempt` is its run count."""

    flow_run_id: str
    attempt: int
    reference: str
    receipt_id: str
    trigger: Trigger


@dataclass(slots=True)
class Progress:
    """Which task a run is at, for the record of one that fails."""

    task: str = ""


@asynccontextmanager
async def recorded(run: Run) -> AsyncIterator[Progress]:
    """Keep a run's history: its begin, and its end with the task that failed."""
    trigger = Trigger.RETRY if run.attempt > 1 else run.trigger
    row = RunRow(**asdict(run) | {"trigger": trigger, "state": RunState.RUNNING, "started_at": datetime.now(UTC)})
    await asyncio.to_thread(runs.begin, row)
    progress = Progress()
    try:
        yield progress
    except asyncio.CancelledError:
        with suppress(Transient):  # no time for more than one try
            await asyncio.to_thread(_record_interruption, run)
        raise
    except TerminationSignal:  # in a process of its own, whose loop may not go on
        with suppress(Transient):
            _record_interruption(run)
        raise
    except Busy:  # nothing is wrong with the archive: it is awaited, not failed
        with suppress(Transient):
            await asyncio.to_thread(_record_interruption, run)
        raise
    except Exception:
        await _record_end(run, RunState.FAILED, progress.task or None)
        raise
    await _record_end(run, RunState.COMPLETED)


def _record_interruption(run: Run) -> None:
    """Only a person undoes what a person has cancelled. Else the receipt is awaited, and the sweep asks Prefect."""
    cancelled = is_cancelled_by_person()
    state, receipt_state = (RunState.CANCELLED, State.FAILED) if cancelled else (RunState.CRASHED, State.RECEIVED)
    now = datetime.now(UTC)
    runs.end(run.flow_run_id, run.attempt, state, receipt_state, now)
    history.keep(run.reference, run.receipt_id)


async def _record_end(run: Run, state: RunState, failed_task: str | None = None) -> None:
    """Never hides why a run failed: where the database stays away, the sweep finds the receipt and starts again."""
    receipt_state = State.COMPLETED if state is RunState.COMPLETED else State.FAILED
    for pause_s in (*_RECORD_PAUSES_S, None):
        try:
            now = datetime.now(UTC)
            await asyncio.to_thread(runs.end, run.flow_run_id, run.attempt, state, receipt_state, now, failed_task)
            await asyncio.to_thread(history.keep, run.reference, run.receipt_id)
        except Transient as error:
            if pause_s is None:
                get_run_logger().error("The end of this run is not on record: %s", error)
                return
            await asyncio.sleep(pause_s)
        else:
            return


@asynccontextmanager
async def sole_work_on(run: Run) -> AsyncIterator[None]:
    """Hold the lease on the run's process, renewed while the block runs. A dead holder's lease is free after 30 s.

    An attempt that another follows, since it was taken for dead, does not hold what that one holds.

    Raises:
        Busy: another run has held it for ten minutes.
    """
    reference, holder = run.reference, f"{run.flow_run_id}:{run.attempt}"
    waited_s = 0
    asked_at_s = time.monotonic()
    while not await _take(reference, holder):
        if waited_s >= _LONGEST_WAIT_S:
            raise Busy(
                f"another run has worked on this process for {_LONGEST_WAIT_S} s; the sweep starts another later"
            )
        await asyncio.sleep(_POLL_S)
        waited_s += _POLL_S
        asked_at_s = time.monotonic()
    worker = asyncio.current_task()
    renewal = asyncio.create_task(_renew(reference, holder, asked_at_s + _LEASE_S, worker))
    try:
        yield
    finally:
        renewal.cancel()
        with suppress(asyncio.CancelledError):
            await renewal
        with suppress(Transient):  # it expires by itself
            await asyncio.to_thread(runs.release_lease, reference, holder, datetime.now(UTC))


async def _take(reference: str, holder: str) -> bool:
    return await asyncio.to_thread(runs.take_lease, reference, holder, datetime.now(UTC), _LEASE_S)


async def _renew(reference: str, holder: str, good_until_s: float, worker: "asyncio.Task[object] | None") -> None:
    """Keep the lease. Whoever lost it must not go on beside its next holder: after a long sleep of the machine, or of
    the database. `good_until_s` is by the monotonic clock, counted from before the lease was asked for.
    """
    while True:
        await asyncio.sleep(_RENEWAL_S)
        asked_at_s = time.monotonic()
        try:
            async with asyncio.timeout(max(0, good_until_s - asked_at_s)):
                if not await _take(reference, holder):
                    break
        except TimeoutError:
            break
        except Transient:  # a lease lasts several renewals
            if time.monotonic() + _RENEWAL_S >= good_until_s:
                break
        else:
            good_until_s = asked_at_s + _LEASE_S
    if not hand_back() and worker:
        worker.cancel()

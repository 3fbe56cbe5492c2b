"""Puts a run on record, and keeps the process to itself while it works."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from prefect import get_run_logger
from prefect.exceptions import TerminationSignal

from adapters import receipts, runs
from models.archive import State
from models.errors import Transient
from models.run import RunRow, RunState, Trigger

_LEASE_S = 30
_RENEWAL_S = 10
_POLL_S = 1
_LONGEST_WAIT_S = 600
_RECORD_PAUSES_S = (1, 3, 9)


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
    await asyncio.to_thread(receipts.set_state, run.receipt_id, State.PROCESSING, datetime.now(UTC))
    progress = Progress()
    try:
        yield progress
    except (asyncio.CancelledError, TerminationSignal):
        # No time for more than one try. The receipt is awaited again: the sweep asks Prefect whether a person cancelled
        # the run or its worker was stopped.
        with suppress(Transient):
            runs.end(run.flow_run_id, RunState.CRASHED, State.RECEIVED, datetime.now(UTC))
        raise
    except Exception:
        await _record_end(run, RunState.FAILED, progress.task or None)
        raise
    await _record_end(run, RunState.COMPLETED)


async def _record_end(run: Run, state: RunState, failed_task: str | None = None) -> None:
    """Never hides why a run failed: where the database stays away, the sweep finds the receipt and starts again."""
    receipt_state = State.COMPLETED if state is RunState.COMPLETED else State.FAILED
    for pause_s in (*_RECORD_PAUSES_S, None):
        try:
            await asyncio.to_thread(
                runs.end, run.flow_run_id, state, receipt_state, datetime.now(UTC), failed_task=failed_task
            )
        except Transient as error:
            if pause_s is None:
                get_run_logger().error("The end of this run is not on record: %s", error)
                return
            await asyncio.sleep(pause_s)
        else:
            return


@asynccontextmanager
async def sole_work_on(reference: str, holder: str) -> AsyncIterator[None]:
    """Hold the lease on a process, renewed while the block runs. A dead holder's lease is free after 30 s.

    Raises:
        Transient: another run has held it for ten minutes.
    """
    waited_s = 0
    while not await _take(reference, holder):
        if waited_s >= _LONGEST_WAIT_S:
            raise Transient(f"another run has worked on this process for {_LONGEST_WAIT_S} s; run this one again later")
        await asyncio.sleep(_POLL_S)
        waited_s += _POLL_S
    worker = asyncio.current_task()
    renewal = asyncio.create_task(_renew(reference, holder, worker))
    try:
        yield
    finally:
        renewal.cancel()
        with suppress(asyncio.CancelledError):
            await renewal
        with suppress(Transient):  # it expires by itself
            runs.release_lease(reference, holder, datetime.now(UTC))


async def _take(reference: str, holder: str) -> bool:
    return await asyncio.to_thread(runs.take_lease, reference, holder, datetime.now(UTC), _LEASE_S)


async def _renew(reference: str, holder: str, worker: "asyncio.Task[object] | None") -> None:
    """Keep the lease. Whoever lost it, after a long sleep of the machine, must not go on beside its new holder."""
    while True:
        await asyncio.sleep(_RENEWAL_S)
        with suppress(Transient):  # the database may be away for a while; the lease lasts three renewals
            if not await _take(reference, holder) and worker:
                worker.cancel()
                return

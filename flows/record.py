"""Puts a run on record, and keeps the process to itself while it works."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from prefect.exceptions import TerminationSignal

from adapters import receipts, runs
from models.archive import State
from models.errors import Transient
from models.run import RunRow, RunState, Trigger

_LEASE_S = 30
_RENEWAL_S = 10
_POLL_S = 1
_LONGEST_WAIT_S = 600


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
    state, failed_task = RunState.CRASHED, None
    try:
        yield progress
        state = RunState.COMPLETED
    except (asyncio.CancelledError, TerminationSignal):
        state = RunState.CANCELLED
        raise
    except Exception:
        state, failed_task = RunState.FAILED, progress.task or None
        raise
    finally:
        now = datetime.now(UTC)
        runs.end(run.flow_run_id, state, now, failed_task)
        if state is not RunState.COMPLETED:
            receipts.set_state(run.receipt_id, State.FAILED, now)


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
    renewal = asyncio.create_task(_renew(reference, holder))
    try:
        yield
    finally:
        renewal.cancel()
        with suppress(asyncio.CancelledError):
            await renewal
        runs.release_lease(reference, holder, datetime.now(UTC))


async def _take(reference: str, holder: str) -> bool:
    return await asyncio.to_thread(runs.take_lease, reference, holder, datetime.now(UTC), _LEASE_S)


async def _renew(reference: str, holder: str) -> None:
    while True:
        await asyncio.sleep(_RENEWAL_S)
        with suppress(Transient):  # the database may be away for a while; the lease lasts three renewals
            await _take(reference, holder)

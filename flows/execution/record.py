"""Records runs, in the database and in the store."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import stamina
from prefect import get_run_logger
from prefect.exceptions import TerminationSignal

from adapters.database import runs
from adapters.store import history
from flows.execution.engine import is_cancelled_by_person
from flows.execution.lease import Busy
from models.archive.archive import State
from models.errors import Transient
from models.runs.run import RunRow, RunState, Trigger

_RECORDED_AGAIN: dict[str, Any] = {
    "attempts": 4,
    "timeout": None,
    "wait_max": 10,
    "wait_exp_base": 3,
    "wait_initial": 1,
}


@dataclass(frozen=True, slots=True)
class Run:
    """A run as Prefect knows it. `attempt` is Prefect's run count."""

    flow_run_id: str
    attempt: int
    reference: str
    receipt_id: str
    trigger: Trigger

    @property
    def holder(self) -> str:
        """The holder of the lease: the attempt. An attempt that was taken for dead shares no lease with the next."""
        return f"{self.flow_run_id}:{self.attempt}"


@dataclass(slots=True)
class Progress:
    """The task that a run is at. The record of a failed run names it."""

    task: str = ""


@asynccontextmanager
async def recorded(run: Run) -> AsyncIterator[Progress]:
    """Record the start of a run, and its end with the task that failed."""
    trigger = Trigger.RETRY if run.attempt > 1 else run.trigger
    row = RunRow(**asdict(run) | {"trigger": trigger, "state": RunState.RUNNING, "started_at": datetime.now(UTC)})
    await asyncio.to_thread(runs.begin, row)
    progress = Progress()
    try:
        yield progress
    except asyncio.CancelledError:
        with suppress(Transient):  # there is time for one try only
            await asyncio.to_thread(_record_interruption, run)
        raise
    except TerminationSignal:  # the run has its own process, whose loop may not go on
        with suppress(Transient):
            _record_interruption(run)
        raise
    except Busy:  # nothing is wrong with the archive: its receipt waits and has not failed
        with suppress(Transient):
            await asyncio.to_thread(_record_interruption, run)
        raise
    except Exception:
        await _record_end(run, RunState.FAILED, progress.task or None)
        raise
    await _record_end(run, RunState.COMPLETED)


def _record_interruption(run: Run) -> None:
    """Record an interruption. The sweep restarts no run that a person cancelled; it asks Prefect about other runs."""
    cancelled = is_cancelled_by_person()
    state, receipt_state = (RunState.CANCELLED, State.FAILED) if cancelled else (RunState.CRASHED, State.RECEIVED)
    now = datetime.now(UTC)
    runs.end(run.flow_run_id, run.attempt, state, receipt_state, now)
    history.keep(run.reference, run.receipt_id)


async def _record_end(run: Run, state: RunState, failed_task: str | None = None) -> None:
    """Record how a run ended, without hiding why it failed. If that fails, the sweep runs a waiting receipt again."""
    receipt_state = State.COMPLETED if state is RunState.COMPLETED else State.FAILED
    try:
        async for attempt in stamina.retry_context(Transient, **_RECORDED_AGAIN):
            with attempt:
                now = datetime.now(UTC)
                await asyncio.to_thread(runs.end, run.flow_run_id, run.attempt, state, receipt_state, now, failed_task)
                await asyncio.to_thread(history.keep, run.reference, run.receipt_id)
    except Transient as error:
        get_run_logger().error("The end of this run is not recorded: %s", error)

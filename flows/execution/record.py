"""Records runs, in the database and in the store, and decides the state in which Prefect shows their end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

import stamina
import structlog
from prefect import get_run_logger
from prefect.client.schemas.objects import State
from prefect.exceptions import TerminationSignal
from prefect.states import AwaitingRetry, Failed

from adapters.observation.metrics import run_ended
from adapters.observation.tracing import is_traced, span
from adapters.peers import prefect_api
from adapters.store.objects import history
from adapters.tables.runs import receipts, runs, waiting
from adapters.tables.runs.waiting import Wait
from domain.runs import CANCELLED, cause_of, next_try, system_of
from flows.execution.engine import is_cancelled_by_person
from flows.execution.tasks import emit, told
from models.archive.archive import State as ArchiveState
from models.errors import CellarError, System, Transient, Unexpected
from models.runs.receipt import Cause, RunRow, RunState, Trigger
from services.messages.events import announce_failure

_RECORDED_AGAIN: dict[str, Any] = {
    "attempts": 4,
    "timeout": None,
    "wait_max": 10,
    "wait_exp_base": 3,
    "wait_initial": 1,
}

_UNRECORDED_PAUSE = timedelta(seconds=2)
"""Before a run that waits for the database is due again. No worker can claim it before the database is back."""


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
    """The task that a run is at, which the record of a failed run names; and the tags that the run has in Prefect.

    `undelivered` says which messages are not confirmed at the end of the run; `beside_end` is done beside its record.
    """

    task: str | None = None
    tags: set[str] = field(default_factory=set)
    undelivered: str | None = None
    beside_end: list[Coroutine[Any, Any, None]] = field(default_factory=list)


async def recorded(
    progress: Progress, starting: Awaitable[Run], work: Callable[[Run, Progress], Awaitable[None]]
) -> tuple[State[Any], Cause] | None:
    """Do the work of a run and record its start and its end, with the cause of a failure.

    Returns:
        None once the work is done. Otherwise the state that ends this attempt in Prefect, and the cause: AwaitingRetry
        where the failure heals by itself, so that no worker is occupied until then; else Failed.
    """
    run: Run | None = None
    try:
        run = await starting
        await _record_start(run)
        async with _traced(run):
            await work(run, progress)
        progress.task = None
        await asyncio.gather(_record_end(run, RunState.COMPLETED), *progress.beside_end)
    except asyncio.CancelledError:
        if run:
            with suppress(Transient):  # there is time for one try only
                await asyncio.to_thread(_record_interruption, run)
        raise
    except TerminationSignal:  # the run has its own process, whose loop may not go on
        if run:
            with suppress(Transient):
                _record_interruption(run)
        raise
    except Exception as error:  # noqa: BLE001 -- every failure has a cause; an unexpected error is logged with its trace
        return await _end_by(told(error), run, progress.task)
    return None


async def _record_start(run: Run) -> None:
    structlog.contextvars.bind_contextvars(receipt_id=run.receipt_id, attempt=run.attempt)
    trigger = Trigger.RETRY if run.attempt > 1 else run.trigger
    row = RunRow(**asdict(run) | {"trigger": trigger, "state": RunState.RUNNING, "started_at": prefect_api.now()})
    await asyncio.to_thread(runs.begin, row)


async def _end_by(error: CellarError, run: Run | None, task: str | None) -> tuple[State[Any], Cause]:
    """Record that an attempt has failed. The log has the cause, and after it the trace of an unexpected error."""
    cause, system = cause_of(error, task), system_of(error)
    structlog.contextvars.bind_contextvars(failed_task=task, cause=cause.code)
    log = get_run_logger()
    log.error("%s", cause)
    if isinstance(error, Unexpected):
        log.info("The trace of the %s:\n%s", error.error_class, error.frames)
    now = prefect_api.now()
    if system:
        wait = await _wait_so_far(run, now)
        if due_at := next_try(wait.since, wait.attempts, now):
            if not await _record_wait(run, system, cause, now) and system is System.DATABASE:
                due_at = now + _UNRECORDED_PAUSE
            run_ended(RunState.AWAITING_RETRY, cause.code)
            return AwaitingRetry(scheduled_time=due_at, message=_waiting_text(system, wait.since, cause)), cause
    if run:
        try:
            await _record_end(run, RunState.FAILED, cause)
        except Transient as away:
            return await _end_by(away, run, None)
    return Failed(message=str(cause), data=error), cause


def _waiting_text(system: System, since: datetime, cause: Cause) -> str:
    return (
        f"Waiting for the {system} since {since:%Y-%m-%d %H:%M:%S} UTC. {cause}. The run is tried again by itself: as "
        f"soon as the {system} is back, and at the latest at the time shown."
    )


async def _wait_so_far(run: Run | None, now: datetime) -> Wait:
    """Return how long a run waits, with the attempt that has just failed. A wait that is not recorded counts as new."""
    if run:
        with suppress(Transient):
            if before := await asyncio.to_thread(waiting.of_run, run.flow_run_id):
                return Wait(before.since, before.attempts + 1)
    return Wait(now, 1)


async def _record_wait(run: Run | None, system: System, cause: Cause, now: datetime) -> bool:
    """Record that a run waits, and return whether it is recorded: not while the database is away."""
    if run:
        with suppress(Transient):
            await asyncio.to_thread(runs.wait, run.flow_run_id, run.attempt, system, now, cause)
            return True
    return False


def _record_interruption(run: Run) -> None:
    """Record an interruption. The sweep restarts no run that a person cancelled; it asks Prefect about other runs."""
    now = prefect_api.now()
    if is_cancelled_by_person():
        runs.end(run.flow_run_id, run.attempt, RunState.CANCELLED, ArchiveState.FAILED, now, CANCELLED)
        run_ended(RunState.CANCELLED, CANCELLED.code)
    else:
        runs.end(run.flow_run_id, run.attempt, RunState.CRASHED, ArchiveState.RECEIVED, now)
        run_ended(RunState.CRASHED)
    history.keep(run.reference, run.receipt_id)


async def _record_end(run: Run, state: RunState, cause: Cause | None = None) -> None:
    """Record how a run ended, in the database and then, as soon as the store takes it, in the history of its receipt.

    Raises Transient if the database does not answer.
    """
    receipt_state = ArchiveState.COMPLETED if state is RunState.COMPLETED else ArchiveState.FAILED
    now = prefect_api.now()
    await asyncio.to_thread(runs.end, run.flow_run_id, run.attempt, state, receipt_state, now, cause)
    run_ended(state, cause.code if cause else "")
    try:
        async for attempt in stamina.retry_context(Transient, **_RECORDED_AGAIN):
            with attempt:
                await asyncio.to_thread(history.keep, run.reference, run.receipt_id)
                if state is RunState.FAILED:
                    emit(await asyncio.to_thread(announce_failure, run.receipt_id))
    except Transient as error:
        get_run_logger().error("The history lacks the end of this run: %s", error)


@asynccontextmanager
async def _traced(run: Run) -> AsyncIterator[None]:
    """Make the block the span `run` of its receipt's trace, below which its tasks appear."""
    parent = None
    if is_traced():
        with suppress(Transient):  # a trace is no reason for a run to fail
            parent = await asyncio.to_thread(receipts.traceparent, run.receipt_id)
    with span("run", parent, receipt_id=run.receipt_id, flow_run_id=run.flow_run_id, attempt=run.attempt):
        yield

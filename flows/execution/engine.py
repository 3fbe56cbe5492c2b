"""Executes flow runs inside this process, and interrupts them.

This module subclasses Prefect's asynchronous engine, because the engine itself reports an interrupted run as crashed.
Prefect is pinned, and `tests/flows/execution/test_engine.py` fails on a release that changes the internals used here.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from enum import Enum
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from prefect import Flow
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import Abort
from prefect.flow_engine import AsyncFlowRunEngine
from prefect.runtime import deployment
from prefect.runtime import flow_run as this_run
from prefect.states import AwaitingRetry, Cancelled, Pending

from models.errors import CellarError

P = ParamSpec("P")
Result = TypeVar("Result")
BY_ITSELF = "auto-scheduled"
"""The tag of runs that nobody asked for. Prefect's scheduler gives it to its runs."""


class Interruption(Enum):
    """Why this process stops executing a run."""

    CANCELLED = "a person has cancelled it"
    HANDED_BACK = "its worker stops; it is due again at once"
    LOST = "Prefect has ended it, or another worker may have it"


class Interrupted(CellarError):
    """The run was interrupted, and Prefect has the state that follows from the interruption."""


class Execution:
    """A flow run that this process executes."""

    def __init__(self, flow: Flow[..., Any], flow_run: FlowRun) -> None:
        self.flow_run = flow_run
        self.interruption: Interruption | None = None
        self.holds_slot = True
        self.only_starts_runs = False
        self.begun: asyncio.Task[Any] | None = None
        # With a `deployment_id` the engine would start a thread and a websocket per run to watch for Suspend, and block
        # the loop at both ends. It reads the run again before it calls the flow, so the flow sees its deployment.
        # The state is Pending because a run is executed only after it was taken.
        self._engine = _Engine(flow=flow, parameters=dict(flow_run.parameters))
        self._engine.taken = flow_run.model_copy(update={"deployment_id": None, "state": Pending()})
        self._engine.execution = self
        self._task: asyncio.Task[None] | None = None

    def begin(self, work: Coroutine[Any, Any, Result]) -> "asyncio.Task[Result]":
        """Begin the work of the run before the run itself, which then waits for it by `done_by`."""
        token = _current.set(self)
        self.begun = begun = asyncio.create_task(work)
        _current.reset(token)
        return begun

    async def run(self) -> None:
        """Execute the run to its end, in the calling task. Prefect then knows the end.

        Raises:
            Interrupted: the run was interrupted.
            CancelledError: the run was interrupted before there was a state to report to Prefect.
            Abort, Pause: Prefect does not let the run start or go on.
            Exception: the end could not be reported to Prefect.
        """
        self._task = asyncio.current_task()
        token = _current.set(self)
        if self.interruption and self._task:
            self._task.cancel()
        try:
            # The same steps as in `prefect.flow_engine.run_flow_async`.
            async with self._engine.start():
                while self._engine.is_running():
                    async with self._engine.run_context():
                        await self._engine.call_flow_fn()  # type: ignore[unused-coroutine]  # typed as if twice awaited
        except asyncio.CancelledError as error:
            if self.interruption and self._engine.has_reported:
                raise Interrupted(self.interruption.value) from error
            raise
        finally:
            _current.reset(token)

    @property
    def is_over(self) -> bool:
        """Whether Prefect knows how this execution ended: in a final state, or with the run due again."""
        if self._engine.flow_run is None:
            return False
        state = self._engine.state
        return self.interruption is not Interruption.LOST and (state.is_final() or state.is_scheduled())

    @property
    def flow_name(self) -> str:
        return self._engine.flow.name

    @property
    def outcome(self) -> str:
        """The name of the state in which this execution left the run, or why it was interrupted."""
        if self._engine.flow_run is None or self.interruption is Interruption.LOST:
            return "Lost"
        return self._engine.state.name or self._engine.state.type.value

    @property
    def has_failed(self) -> bool:
        return self.is_over and (self._engine.state.is_failed() or self._engine.state.is_crashed())

    def interrupt(self, why: Interruption) -> None:
        """Make the run end as soon as possible: its threads stop between two chunks of work."""
        if not self.interruption:
            self.interruption = why
            if self._task:
                self._task.cancel()


async def done_by(work: Callable[P, Coroutine[Any, Any, Result]], *args: P.args, **kwargs: P.kwargs) -> Result:
    """Do the work of the calling run, or wait for it where the worker has begun it, and return what it did."""
    execution = _current.get()
    if execution and execution.begun:
        begun: asyncio.Task[Result] = execution.begun
        return await begun
    return await work(*args, **kwargs)


def give_up() -> bool:
    """Interrupt the calling run, since another worker may have it now. Its worker then checks the claim.

    Returns:
        False where no worker of ours executes the run.
    """
    execution = _current.get()
    if execution:
        execution.interrupt(Interruption.LOST)
    return execution is not None


def leave_slot(*, only_starts_runs: bool = False) -> None:
    """Free the slot of the calling run, which from now on only waits for endpoints, or only starts other runs.

    A worker that stops hands a run of the latter kind back at once.
    """
    if execution := _current.get():
        execution.holds_slot, execution.only_starts_runs = False, only_starts_runs


async def end_own_process(state: State[Any]) -> None:
    """End the process of the calling run if Prefect's own worker has started it and the run waits in `state`.

    Prefect's worker takes a process that ends before its run is over for crashed, unless an Abort ends the process.

    Raises Abort if the run waits in Prefect, and its process ends.
    """
    if state.is_scheduled() and deployment.id and _current.get() is None:
        async with get_client() as client:
            await client.set_flow_run_state(UUID(this_run.id), state)
        raise Abort("the run waits to be tried again")


def is_cancelled_by_person() -> bool:
    """Return whether a person cancelled the calling run; False also where this cannot be known."""
    execution = _current.get()
    return execution is not None and execution.interruption is Interruption.CANCELLED


_current: ContextVar[Execution | None] = ContextVar("execution", default=None)


class _Engine(AsyncFlowRunEngine[Any, Any]):
    execution: Execution
    taken: FlowRun
    has_reported = False
    """Whether the end of the run is handled: Prefect has the state that follows from an interruption, if any."""

    async def create_flow_run(self, client: PrefectClient) -> FlowRun:
        """Return the run that was taken. An engine that is made with a run would send a request for its retries."""
        return self.taken

    async def handle_crash(self, exc: BaseException) -> None:
        interruption = self.execution.interruption
        if interruption is None:
            await super().handle_crash(exc)
        elif interruption is Interruption.LOST:
            self.short_circuit = True  # the engine reports nothing more
        else:
            ends = interruption is Interruption.CANCELLED
            to, why = (Cancelled, "Cancelled through Prefect.") if ends else (AwaitingRetry, "Its worker was stopped.")
            # A state that lets the run go on is not forced: a Cancel that came in between stands, and is carried out.
            await self.set_state(to(message=why), force=ends)
        self.has_reported = True
        self._raised = exc  # type: ignore[assignment]  # the engine does the same

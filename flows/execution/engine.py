"""Executes a flow run inside this process, and interrupts it.

The one place that reaches into Prefect: its asynchronous engine is subclassed, because a run that is interrupted must
end as what it is. By itself the engine calls that a crash. Prefect is pinned, and
`tests/flows/execution/test_engine.py` fails loudly on a release that changes what is used here.
"""

import asyncio
from contextvars import ContextVar
from enum import Enum
from typing import Any

from prefect import Flow
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.flow_engine import AsyncFlowRunEngine
from prefect.states import AwaitingRetry, Cancelled, Pending

from models.errors import CellarError


class Interruption(Enum):
    """Why a run does not go on here."""

    CANCELLED = "a person has cancelled it"
    HANDED_BACK = "its worker stops; it is due again at once"
    LOST = "Prefect has ended it, or another worker may have it"


class Interrupted(CellarError):
    """The run was interrupted, and Prefect knows what it must know of that."""


class Execution:
    """A flow run that this process executes."""

    def __init__(self, flow: Flow[..., Any], flow_run: FlowRun) -> None:
        self.flow_run = flow_run
        self.interruption: Interruption | None = None
        self.holds_slot = True
        # For runs of a deployment the engine would start a thread and a websocket each to watch for Suspend, and block
        # the loop at both ends. It reads the run anew before it calls the flow, which sees the deployment.
        # It is executed once it is taken, and Pending then.
        self._engine = _Engine(flow=flow, parameters=dict(flow_run.parameters))
        self._engine.taken = flow_run.model_copy(update={"deployment_id": None, "state": Pending()})
        self._engine.execution = self
        self._task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Execute the run to its end, in the task that calls this. Prefect then knows the end.

        Raises:
            Interrupted: somebody has interrupted it.
            CancelledError: somebody did, before there was anything that Prefect could be told.
            Abort, Pause: Prefect does not let it run.
            Exception: Prefect could not be told how it ended.
        """
        self._task = asyncio.current_task()
        token = _current.set(self)
        if self.interruption and self._task:
            self._task.cancel()
        try:
            # As `prefect.flow_engine.run_flow_async` does.
            async with self._engine.start():
                while self._engine.is_running():
                    async with self._engine.run_context():
                        await self._engine.call_flow_fn()  # type: ignore[unused-coroutine]  # typed as if twice awaited
        except asyncio.CancelledError as error:
            if self.interruption and self._engine.has_told:
                raise Interrupted(self.interruption.value) from error
            raise
        finally:
            _current.reset(token)

    @property
    def is_over(self) -> bool:
        """Whether Prefect knows an end of this execution: a final state, or that the run is due again."""
        if self._engine.flow_run is None:
            return False
        state = self._engine.state
        return self.interruption is not Interruption.LOST and (state.is_final() or state.is_scheduled())

    def interrupt(self, why: Interruption) -> None:
        """Let the run end as soon as it can: between two chunks of what its threads do."""
        if not self.interruption:
            self.interruption = why
            if self._task:
                self._task.cancel()


def give_up() -> bool:
    """Interrupt the run that calls this, which another may have by now; its worker finds out, by its claim.

    Returns:
        False where no worker of ours executes it.
    """
    execution = _current.get()
    if execution:
        execution.interrupt(Interruption.LOST)
    return execution is not None


def leave_slot() -> None:
    """Let another run start beside the one that calls this: from here on it only waits for others."""
    if execution := _current.get():
        execution.holds_slot = False


def is_cancelled_by_person() -> bool:
    """Whether the run that calls this was cancelled by a person; false also where nobody can know."""
    execution = _current.get()
    return execution is not None and execution.interruption is Interruption.CANCELLED


_current: ContextVar[Execution | None] = ContextVar("execution", default=None)


class _Engine(AsyncFlowRunEngine[Any, Any]):
    execution: Execution
    taken: FlowRun
    has_told = False
    """Whether Prefect knows what it must know of an interruption."""

    async def create_flow_run(self, client: PrefectClient) -> FlowRun:
        """The run is there. Handed to the engine at once, it would be given retries that this flow has none of, in a
        request.
        """
        return self.taken

    async def handle_crash(self, exc: BaseException) -> None:
        interruption = self.execution.interruption
        if interruption is None:
            await super().handle_crash(exc)
        elif interruption is Interruption.LOST:
            self.short_circuit = True  # from here on nothing is reported
        else:
            state = _state_after(interruption)
            # Not forced where the run is to go on: a Cancel that came meanwhile stands, and is settled.
            await self.set_state(state, force=state.is_final())
        self.has_told = True
        self._raised = exc  # type: ignore[assignment]  # as the engine itself does


def _state_after(interruption: Interruption) -> State[Any]:
    if interruption is Interruption.CANCELLED:
        return Cancelled(message="Cancelled through Prefect.")
    return AwaitingRetry(message="Its worker was stopped.")

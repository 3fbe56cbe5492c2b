"""Attempts at tasks, and what people see in Prefect.

Each attempt is timed, retried after transient errors, and its errors go to Prefect without values. No event, summary or
name of a run fails the run. Prefect's client keeps events in a queue of this process and sends them from a thread of
its own, so an event costs a run no request.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

import httpx
from prefect import Flow, flow, get_run_logger
from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import FlowRunContext
from prefect.events import emit_event
from prefect.exceptions import PrefectException
from prefect.runtime import flow_run
from prefect.tasks import Task, exponential_backoff

from adapters.observation.metrics import TASK_SECONDS
from adapters.observation.tracing import span
from flows.execution.results import RESULTS
from models.access import Action, Caller, Role
from models.errors import CellarError, System, Transient, Unexpected
from models.messages.notification import Event
from models.said import Sentence
from services.access.log import record
from services.messages.events import prefect_event

P = ParamSpec("P")
Result = TypeVar("Result")


def without_text(work: Callable[P, Coroutine[Any, Any, Result]]) -> Callable[P, Coroutine[Any, Any, Result]]:
    """Raise the errors of a flow as `told` returns them. Below `@flow`, since Prefect shows and logs them."""

    @wraps(work)
    async def _told(*args: P.args, **kwargs: P.kwargs) -> Result:
        try:
            return await work(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 -- raised again, without its text
            raise told(error) from None

    return _told


def of_cellar(
    name: str, run_name: str | Callable[[], str] | None = None
) -> Callable[[Callable[P, Coroutine[Any, Any, Result]]], Flow[P, Coroutine[Any, Any, Result]]]:
    """Make a function a flow that keeps no result, and raises errors as `told` returns them.

    Without `result_storage`, Prefect would ask its server for a storage, which blocks the loop.
    """
    made = flow(name=name, flow_run_name=run_name, result_storage=RESULTS, persist_result=False)
    return lambda work: made(without_text(work))


def attempt_at(
    name: str,
) -> Callable[[Callable[P, Coroutine[Any, Any, Result]]], Callable[P, Coroutine[Any, Any, Result]]]:
    """Make a call one attempt at the task `name`. Below `@task`, since Prefect shows and logs the errors of a task.

    The attempt is timed, for metrics and traces, and raises errors as `told` returns them.
    """

    def decorate(work: Callable[P, Coroutine[Any, Any, Result]]) -> Callable[P, Coroutine[Any, Any, Result]]:
        @without_text
        @wraps(work)
        async def _attempt(*args: P.args, **kwargs: P.kwargs) -> Result:
            began_s, end = time.monotonic(), "failed"
            try:
                with span(name):
                    result = await work(*args, **kwargs)
                end = "completed"
                return result
            except asyncio.CancelledError:
                end = "interrupted"
                raise
            finally:
                TASK_SECONDS.labels(name, end).observe(time.monotonic() - began_s)

        return _attempt

    return decorate


def told(error: Exception) -> CellarError:
    """Return the error as people may see it: one of cellar's own, whose text repeats no value of a payload.

    An error of Prefect's client heals by itself. Any other error that is not cellar's own is Unexpected.
    """
    if isinstance(error, CellarError):
        return error
    if isinstance(error, (PrefectException, httpx.HTTPError)):
        return Transient(Sentence.client_of_prefect(reason=type(error).__name__), system=System.PREFECT)
    return Unexpected(error)


async def is_transient(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Return whether a task failed with a transient error, and may be retried. A wrong payload stays wrong."""
    return isinstance(await state.aresult(raise_on_failure=False), Transient)


RETRIED: dict[str, Any] = {
    "retries": 3,
    "retry_delay_seconds": exponential_backoff(1),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": is_transient,
}
"""Retries over some 7 s, since they occupy a slot. After a longer outage the run itself waits, in no slot."""
RETRIED_SHORTLY: dict[str, Any] = RETRIED | {"retries": 2}
"""Retries over some 3 s. A scheduled flow goes on."""
PREFECT = "prefect"
_SHOWN_EACH_S = 2


def starter() -> Caller:
    """Return the person who started this run, as far as Prefect knows. Prefect stands behind the login."""
    context = FlowRunContext.get()
    creator = context.flow_run.created_by if context and context.flow_run else None
    name = creator.display_value if creator else None
    return Caller(f"{PREFECT} ({name})" if name else PREFECT, Role.OWNER)


def record_start(action: Action) -> None:
    """Record that a person started this run, in which they choose archives. Raises Transient, as a page does."""
    record(starter(), action, detail={"flow": flow_run.flow_name, "flow_run_id": flow_run.id})


def emit(events: Iterable[Event]) -> None:
    """Emit events, under the names of their types with `cellar.` before them. Never waits, and raises nothing."""
    for each in events:
        emit_event(**prefect_event(each))


@contextmanager
def optional_summary() -> Iterator[None]:
    """Go on with a warning if the block cannot make a summary and leave it in Prefect.

    A summary only shows what is recorded elsewhere. Its failure must not fail a run, nor hide why the run failed.
    """
    try:
        yield
    except Exception as error:  # noqa: BLE001 -- a summary renders any archive, and no list of errors is complete
        # Only the class: the message of an unknown error may repeat a value from a payload.
        get_run_logger().warning("The run has no summary: %s", type(error).__name__)


class ProgressArtifact:
    """The progress artifact of a run. It only shows what is recorded elsewhere."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._artifact: UUID | None = None
        self._shown: tuple[float, str] | None = None
        self._shown_s = float("-inf")

    def is_due(self) -> bool:
        """Return whether it was not shown for some seconds."""
        return time.monotonic() - self._shown_s >= _SHOWN_EACH_S

    async def show(self, share: float, description: str) -> None:
        """Show which share of a whole is done, if that has changed."""
        self._shown_s, percent = time.monotonic(), round(100 * share, 1)
        if (percent, description) == self._shown:
            return
        with optional_summary():
            if self._artifact is None:
                made = await acreate_progress_artifact(percent, key=self._key, description=description)
                self._artifact = UUID(str(made))
            else:
                await aupdate_progress_artifact(self._artifact, percent, description=description)
            self._shown = percent, description


async def name_run(did: Sequence[str]) -> None:
    """Log what the calling run did, and give it that name. Lists of runs show names, so they have no personal data."""
    for each in did:
        get_run_logger().info("%s", each)
    try:
        async with get_client() as client:
            await client.update_flow_run(UUID(flow_run.id), name="; ".join(did) or "nothing to do")
    except (PrefectException, httpx.HTTPError) as error:
        get_run_logger().warning("The run could not be given its name: %s", type(error).__name__)


def counted(number: int, noun: str) -> str:
    """Return a number and its noun, such as `1,024 messages`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"

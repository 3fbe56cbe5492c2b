"""Attempts at tasks: each is timed, retried after transient errors, and its errors go to Prefect without values."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import httpx
from prefect.client.schemas.objects import State, TaskRun
from prefect.exceptions import PrefectException
from prefect.tasks import Task, exponential_backoff

from adapters.observation.metrics import TASK_SECONDS
from adapters.observation.tracing import span
from models.errors import CellarError, System, Transient, Unexpected
from models.said import Sentence

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

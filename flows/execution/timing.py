"""Times the attempts at tasks, for metrics and traces."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from adapters.observation.metrics import TASK_SECONDS
from adapters.observation.tracing import span

P = ParamSpec("P")
Result = TypeVar("Result")


def timed(name: str) -> Callable[[Callable[P, Awaitable[Result]]], Callable[P, Awaitable[Result]]]:
    """Time each attempt at the task `name`. Below `@task`, so that an attempt is one call."""

    def decorate(work: Callable[P, Awaitable[Result]]) -> Callable[P, Awaitable[Result]]:
        @wraps(work)
        async def _timed(*args: P.args, **kwargs: P.kwargs) -> Result:
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

        return _timed

    return decorate

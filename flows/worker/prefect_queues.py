"""Looks into Prefect's queues of events and log lines ten times a second. A run puts thirty items there, and Prefect
would wake two threads for each.

Prefect is pinned, and `tests/flows/worker/test_prefect_queues.py` fails on a release that changes the internals used
here.
"""

import asyncio
import logging
import math
import queue
import time
from typing import Any

from prefect._internal._logging import SafeLogger
from prefect._internal.concurrency.services import _QueueServiceBase
from prefect.settings import PREFECT_LOGGING_INTERNAL_LEVEL

_LOOKS_EACH_S = 0.1
_take = _QueueServiceBase._get_item


def look_in_turns() -> None:
    """Let this process look into its queues in turns, and read the level of Prefect's internal log once for all."""
    lowest = logging.getLevelNamesMapping()[PREFECT_LOGGING_INTERNAL_LEVEL.value()]
    SafeLogger.isEnabledFor = lambda _, level: level >= lowest  # type: ignore[method-assign,assignment]
    _QueueServiceBase._get_item = _look  # type: ignore[method-assign,assignment]


async def _look(service: _QueueServiceBase[Any], timeout: float | None = None) -> Any:  # noqa: ASYNC109 -- Prefect's name
    until_s = math.inf if timeout is None else time.monotonic() + timeout
    while service._queue.empty():
        if time.monotonic() >= until_s:
            raise queue.Empty
        await asyncio.sleep(_LOOKS_EACH_S)
    return await _take(service)

"""Measures the state of inbox, database, store and disks for a scrape, within a bound."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from models.errors import Transient

T = TypeVar("T")
_PATIENCE_S = 2.0
_FRESH_S = 5.0


class Measurement(Generic[T]):
    """A measurement that has a thread of its own, and whose result serves all scrapes of some seconds.

    What hangs occupies this one thread, however many scrapes come, and a scrape waits two seconds at most.
    """

    def __init__(self, name: str, measure: Callable[[], T]) -> None:
        self._measure = measure
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"measure-{name}")
        self._running: asyncio.Future[T] | None = None
        self._result: tuple[T, float] | None = None

    async def recent(self) -> T | None:
        """Return the value of the last seconds, None if it cannot be measured now."""
        now_s = time.monotonic()
        if self._result and now_s - self._result[1] < _FRESH_S:
            return self._result[0]
        if self._running is None:
            self._running = asyncio.get_running_loop().run_in_executor(self._thread, self._measure)
            self._running.add_done_callback(self._end)
        try:
            return await asyncio.wait_for(asyncio.shield(self._running), _PATIENCE_S)
        except (Transient, OSError):  # TimeoutError is an OSError
            return None

    def _end(self, ended: "asyncio.Future[T]") -> None:
        """Keep the result. A result that no scrape waited for is too old when the next scrape comes, or serves it."""
        self._running = None
        if not ended.cancelled() and ended.exception() is None:
            self._result = ended.result(), time.monotonic()

"""Records of the store that a receiver knows in memory: no request waits for the store.

They are read at the start and every few seconds, and once more when a request presents what is unknown, so that a new
record works at once. While the store is away, the receiver keeps what it knows.
"""

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from typing import Generic, Literal, get_args

import structlog

from adapters.platform.loops import in_background, supervised
from adapters.store.records import Record, Records
from models.errors import CellarError

log = structlog.get_logger()

State = Literal["ok", "kept", "unknown"]
STATES: tuple[State, ...] = get_args(State)
"""How current the known records are, the best first."""
_PAUSE_S = 5.0
_LEAST_PAUSE_S = 0.25
_PATIENCE_S = 2.0


class Known(Generic[Record]):
    """The records of one kind. `what` names them; `on_read` is called with them after each reading."""

    def __init__(
        self, records: Records[Record], what: str, on_read: Callable[[Mapping[str, Record]], None] = lambda _: None
    ) -> None:
        self._records, self._what, self._on_read = records, what, on_read
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=what)  # a hanging store holds no thread of asyncio
        self._next: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._one_at_a_time = asyncio.Lock()
        self._began_s = -math.inf
        self._is_read = False
        self._why_not: str | None = None
        """Why they could not be read the last time."""

    @property
    def state(self) -> State:
        """How current the records are that this receiver knows."""
        if not self._is_read:
            return "unknown"
        return "ok" if self._why_not is None else "kept"

    def running(self) -> AbstractAsyncContextManager[None]:
        return in_background(supervised(f"the reading of the {self._what}", self._refresh_repeatedly))

    async def _refresh_repeatedly(self) -> None:
        while True:
            async with self._one_at_a_time:
                await self._read()
            await asyncio.sleep(_PAUSE_S)

    async def read_in_time(self) -> None:
        """Wait for a reading that begins now or soon, no longer than 2 s in a store that hangs.

        All requests that arrive before it share it: a flood of wrong secrets reads the store four times a second.
        """
        if self._next is None:
            self._next = asyncio.create_task(self._read_soon())
        await asyncio.wait([self._next], timeout=_PATIENCE_S)

    async def _read_soon(self) -> None:
        async with self._one_at_a_time:  # a store that hangs occupies one thread
            await asyncio.sleep(max(0.0, self._began_s + _LEAST_PAUSE_S - time.monotonic()))
            self._next, self._reading = None, self._next
            await self._read()

    async def _read(self) -> None:
        self._began_s = time.monotonic()
        try:
            reading = asyncio.get_running_loop().run_in_executor(self._thread, self._records.refresh, math.inf)
            self._on_read(await reading)
            self._is_read, self._why_not = True, None
        except CellarError as error:
            if self._why_not is None:
                log.warning(
                    f"the {self._what} cannot be read; this receiver goes on with the {self._what} that it knows",
                    why=str(error),
                )
            self._why_not = str(error)

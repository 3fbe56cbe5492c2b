"""Knows the sources and their secrets, in memory: no request of a sender waits for the store.

They are read at the start and every few seconds, and once more when a name or secret is unknown, so that a source works
as soon as it is added. While the store is away, the receiver keeps what it knows. A receiver that has read no sources
yet asks named sources to send again later; the source `default` has its secrets in the settings.
"""

import asyncio
import hashlib
import hmac
import math
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Literal, get_args

import structlog
from starlette.datastructures import Headers

from adapters.observation.metrics import begin_source
from adapters.platform.loops import in_background, supervised
from adapters.store import sources
from api.authorization import SECRET_HEADERS, UNAUTHORIZED, is_sender, presented_secrets
from models.errors import CellarError, Refused, System, Transient
from models.runs.receipt import DEFAULT_SOURCE
from models.sources import Source

log = structlog.get_logger()

State = Literal["ok", "kept", "unknown"]
STATES: tuple[State, ...] = get_args(State)
"""How current the known sources are, the best first."""
_PAUSE_S = 5.0
_LEAST_PAUSE_S = 0.25
_PATIENCE_S = 2.0
UNKNOWN, FURTHER = "(unknown)", "(further)"
"""The labels of names that are no source, and of sources beyond the hundredth: labels have few values, however many
names somebody tries. No source can have such a name.
"""
_MOST_LABELS = 100
_NO_SECRET = ("0" * 64,)
_THREAD = ThreadPoolExecutor(1, thread_name_prefix="sources")  # a hanging database can occupy all threads of asyncio


class Senders:
    """The sources as this receiver knows them."""

    def __init__(self) -> None:
        self._known: Mapping[str, Source] | None = None
        self._labels = {DEFAULT_SOURCE}
        self._next: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._one_at_a_time = asyncio.Lock()
        self._began_s = -math.inf
        self._why_not: str | None = None
        """Why the sources could not be read the last time."""

    @property
    def state(self) -> State:
        """How current the sources are that this receiver knows."""
        if self._known is None:
            return "unknown"
        return "ok" if self._why_not is None else "kept"

    async def check(self, headers: Headers, source: str) -> None:
        """Check that a request presents an active secret of a source.

        Raises:
            Refused: the secret is missing or wrong, or the source unknown or disabled. The answer does not say which.
            Transient: the sources were never read, since the store is away; the request has to be sent again.
        """
        if not await self._is_sender(headers, source):
            places = " or ".join(SECRET_HEADERS)
            detail = f"no active secret of this URL in {places}; see CELLAR_WEBHOOK_SECRETS and `cellar sources`"
            raise Refused(UNAUTHORIZED, detail, where="Authorization", status=401)

    def label(self, source: str) -> str:
        """Return the label of a source in a metric or a log."""
        if source in self._labels:
            return source
        return FURTHER if source in (self._known or {}) else UNKNOWN

    def running(self) -> AbstractAsyncContextManager[None]:
        return in_background(supervised("the reading of the sources", self._refresh_repeatedly))

    async def _refresh_repeatedly(self) -> None:
        while True:
            async with self._one_at_a_time:
                await self._read()
            await asyncio.sleep(_PAUSE_S)

    async def _is_sender(self, headers: Headers, source: str) -> bool:
        if source == DEFAULT_SOURCE:
            return is_sender(headers)
        if self._known is not None and self._opens(headers, source):
            return True
        await self._read_in_time()
        if self._known is None:
            why = "the store does not answer, so the secrets of sources are not known yet; send it again later"
            raise Transient(why, system=System.STORE)
        return self._opens(headers, source)

    def _opens(self, headers: Headers, source: str) -> bool:
        """Compare all pairs in constant time. A source without secrets takes as long."""
        found = (self._known or {}).get(source)
        digests = (found.digests_at(datetime.now(UTC)) if found else []) or _NO_SECRET
        presented = [hashlib.sha256(each.encode()).hexdigest() for each in presented_secrets(headers) if each]
        return sum(hmac.compare_digest(each, digest) for each in presented for digest in digests) > 0

    async def _read_in_time(self) -> None:
        """Wait for a reading of the sources that begins now or soon, no longer than 2 s in a store that hangs.

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
            self._known = await asyncio.get_running_loop().run_in_executor(_THREAD, sources.refresh, math.inf)
            self._why_not = None
            for name in sorted(self._known.keys() - self._labels)[: _MOST_LABELS - len(self._labels)]:
                self._labels.add(name)
                begin_source(name)
        except CellarError as error:
            if self._why_not is None:
                log.warning("the sources cannot be read; those that are known stay", why=str(error))
            self._why_not = str(error)

"""Receives a body: hashed, scanned and written as it comes, and on stable storage before anyone says so.

Memory stays flat: two batches of 4 MiB are all that is held. A chunk is hashed and scanned by the event loop as soon as
it is there, since then it still lies in the processor's cache: handed to another thread first, it takes 1.4 times as
long. Batches are written by another thread meanwhile, for the disk may be slow or hang.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, TypeVar, TypeVarTuple

from adapters.inbox.inbox import Intake
from adapters.platform.settings import settings
from api.receiver.admission import Place
from domain.archive.reading import reference_of
from domain.body.scan import Scanner
from models.errors import Refused
from models.runs.receipt import Delivery

_BATCH_BYTES = 4 << 20
_MIN_BYTES_PER_S = 1024  # 20 MB would take five hours: no line between servers is that slow
Args = TypeVarTuple("Args")
R = TypeVar("R")
_INBOX_THREADS = ThreadPoolExecutor(32, thread_name_prefix="inbox")  # they wait for the disk more than they work


async def receive(chunks: AsyncIterator[bytes], headers: Mapping[str, str], place: Place) -> Delivery:
    """Return the sending of a body that is a well-formed archive and lies on stable storage.

    Raises:
        Refused: it is not; then it lies in quarantine, unless it was too large.
        Transient: so much is on its way in that it has to come again.
        OSError: the disk does not take it.
    """
    incoming = _Incoming(place)
    try:
        async for chunk in _in_time(chunks):
            await incoming.take(chunk)
        return await incoming.finish(datetime.now(UTC), dict(headers))
    finally:
        await incoming.discard()


def on_disk(work: Callable[[*Args], R], *args: *Args) -> "asyncio.Future[R]":
    """Run work that needs nothing but the inbox. A database that hangs can take all of asyncio's own threads."""
    return asyncio.get_running_loop().run_in_executor(_INBOX_THREADS, work, *args)


def check_size(size_bytes: int) -> None:
    limit_bytes = settings().max_body_bytes
    if size_bytes > limit_bytes:
        detail = f"expected at most {limit_bytes} bytes; raise CELLAR_MAX_BODY_BYTES for larger archives"
        raise Refused("TOO_LARGE", detail, where="body", status=413)


class _Incoming:
    """A body on its way in, and what is wrong with it so far. A refused one is still kept whole, for quarantine."""

    def __init__(self, place: Place) -> None:
        self._intake = Intake()
        self._place = place
        self._scanner = Scanner()
        self._refused: Refused | None = None
        self._batch: list[bytes] = []
        self._batch_bytes = 0
        self._working: asyncio.Future[Any] | None = None

    async def take(self, chunk: bytes) -> None:
        size_bytes = self._intake.size_bytes + len(chunk)
        check_size(size_bytes)
        self._place.reserve(size_bytes)
        self._intake.digest(chunk)
        if self._refused is None:
            try:
                self._scanner.feed(chunk)
            except Refused as refused:
                self._refused = refused
        self._batch.append(chunk)
        self._batch_bytes += len(chunk)
        if self._batch_bytes >= _BATCH_BYTES:
            await self._result()
            self._working = on_disk(self._intake.write, self._batch)
            self._batch, self._batch_bytes = [], 0

    async def finish(self, now: datetime, headers: dict[str, str]) -> Delivery:
        await self._result()
        self._working = on_disk(self._finish, now, headers)
        delivery: Delivery = await self._result()
        return delivery

    async def discard(self) -> None:
        if self._working:
            await asyncio.wait([self._working])
            self._working.exception()  # of a batch that failed while its sender left, when nobody asks any more
        if self._intake.is_open:
            await on_disk(self._intake.discard)

    async def _result(self) -> Any:
        """What the other thread has done last. Shielded: were this task cancelled, `discard` would close the file that
        the thread still writes to, and the next body might get its number.
        """
        return await asyncio.shield(self._working) if self._working else None

    def _finish(self, now: datetime, headers: dict[str, str]) -> Delivery:
        self._intake.write(self._batch)
        try:
            if self._refused:
                raise self._refused
            reference = reference_of(self._scanner.close().document)
        except Refused as refused:
            self._intake.quarantine(refused, now)
            raise
        return self._intake.accept(reference, now, headers)


async def _in_time(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the chunks of a sender that neither falls silent nor drips.

    A sender that drips would hold its place as long as it likes. Only the time that is spent waiting for the sender
    counts, since the disk may be slow too.
    """
    window_s = settings().body_timeout_s
    clock = asyncio.get_running_loop().time
    waited_s, come_bytes = 0.0, 0
    while True:
        since_s = clock()
        try:
            async with asyncio.timeout(window_s):
                chunk = await anext(chunks, None)
        except TimeoutError:
            raise _timeout(f"nothing came for {window_s:g} s in the middle of the body") from None
        if chunk is None:
            return
        waited_s += clock() - since_s
        come_bytes += len(chunk)
        if waited_s >= window_s:
            if come_bytes < _MIN_BYTES_PER_S * waited_s:
                raise _timeout(f"less than {_MIN_BYTES_PER_S} bytes a second came for {waited_s:.0f} s")
            waited_s, come_bytes = 0.0, 0
        yield chunk


def _timeout(detail: str) -> Refused:
    return Refused("BODY_TIMEOUT", detail, where="body", status=408)

"""Receives a body: hashed, scanned and written as it comes, and on stable storage before anyone says so.

Memory stays flat: a batch of 1 MiB is all that is held. Each batch is one job for a worker thread, since hashing,
scanning and writing release the interpreter's lock; the event loop only collects.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TypeVar, TypeVarTuple

from adapters.inbox import Intake
from adapters.settings import settings
from domain.reading import reference_of
from domain.scan import Scanner
from models.errors import Refused
from models.receipt import Sending

_BATCH_BYTES = 1 << 20
Args = TypeVarTuple("Args")
R = TypeVar("R")
_INBOX_THREADS = ThreadPoolExecutor(thread_name_prefix="inbox")


async def receive(chunks: AsyncIterator[bytes], headers: Mapping[str, str]) -> Sending:
    """Return the sending of a body that is a well-formed archive and lies on stable storage.

    Raises:
        Refused: it is not; then it lies in quarantine, unless it was too large.
        OSError: the disk does not take it.
    """
    incoming = _Incoming()
    try:
        async for batch in _batches(chunks):
            await on_disk(incoming.take, batch)
        return await on_disk(incoming.finish, datetime.now(UTC), dict(headers))
    finally:
        await on_disk(incoming.discard)


async def on_disk(work: Callable[[*Args], R], *args: *Args) -> R:
    """Run work that needs nothing but the inbox. A database that hangs can take all of asyncio's own threads."""
    return await asyncio.get_running_loop().run_in_executor(_INBOX_THREADS, work, *args)


def check_size(size_bytes: int) -> None:
    limit_bytes = settings().max_body_bytes
    if size_bytes > limit_bytes:
        detail = f"expected at most {limit_bytes} bytes; raise CELLAR_MAX_BODY_BYTES for larger archives"
        raise Refused("TOO_LARGE", detail, where="body", status=413)


class _Incoming:
    """A body on its way in, and what is wrong with it so far. A refused one is still kept whole, for quarantine."""

    def __init__(self) -> None:
        self._intake = Intake(settings().inbox_dir)
        self._scanner = Scanner()
        self._refused: Refused | None = None

    def take(self, batch: bytes) -> None:
        check_size(self._intake.size_bytes + len(batch))
        self._intake.write(batch)
        if self._refused is None:
            try:
                self._scanner.feed(batch)
            except Refused as refused:
                self._refused = refused

    def finish(self, now: datetime, headers: dict[str, str]) -> Sending:
        try:
            if self._refused:
                raise self._refused
            reference = reference_of(self._scanner.close().document)
        except Refused as refused:
            self._intake.quarantine(refused, now)
            raise
        return self._intake.accept(reference, now, headers)

    def discard(self) -> None:
        self._intake.discard()


async def _batches(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The body in batches. A sender that falls silent is given up, or it would hold its place for ever."""
    batch = bytearray()
    async for chunk in _until_silent(chunks):
        batch += chunk
        if len(batch) >= _BATCH_BYTES:
            yield bytes(batch)
            batch.clear()
    if batch:
        yield bytes(batch)


async def _until_silent(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    timeout_s = settings().body_timeout_s
    while True:
        try:
            async with asyncio.timeout(timeout_s):
                chunk = await anext(chunks, None)
        except TimeoutError:
            detail = f"nothing came for {timeout_s:g} s in the middle of the body"
            raise Refused("BODY_TIMEOUT", detail, where="body", status=408) from None
        if chunk is None:
            return
        yield chunk

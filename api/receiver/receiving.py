"""Receives a body: hashes, scans and writes it as it arrives, and syncs it before the answer.

Memory stays flat: at most two batches of 4 MiB are held. The event loop scans each chunk as it arrives. A thread hashes
the batches while another writes them, since the disk may be slow or hang.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar, TypeVarTuple

import structlog

from adapters.inbox import session_events
from adapters.inbox.inbox import Intake
from adapters.platform.grouping import Grouped
from adapters.settings.settings import settings
from api.gate import in_time
from api.receiver.admission import Place
from domain.archive.found_process import MOST_BYTES, process_in
from domain.archive.reading import identity_of
from domain.body.scan import Scanner
from domain.body.skeleton import NOT_COMPRESSED
from domain.completeness.session_events import MOST_BYTES_IN_A_LINE, check_event, is_archive, read_event
from models.completeness.processes import ReceivedEvent, SessionEvent
from models.errors import Refused
from models.runs.receipt import Delivery, Identity, RefusedDelivery

log = structlog.get_logger()

_BATCH_BYTES = 4 << 20
_CELLOSIGNS_OWN_NAME = re.compile("[A-Z][A-Z0-9_]{0,63}")
_MOST_PER_BATCH = 10_000
Args = TypeVarTuple("Args")
R = TypeVar("R")
_INBOX_THREADS = ThreadPoolExecutor(32, thread_name_prefix="inbox")  # they wait for the disk more than they work


@dataclass(frozen=True, slots=True)
class Rejection:
    """A whole body that is no well-formed archive, in quarantine. The sender gets the error as its answer."""

    delivery: RefusedDelivery
    error: Refused


@dataclass(frozen=True, slots=True)
class KeptEvent:
    """A session event and what it says. Its journal puts it on stable storage."""

    event: ReceivedEvent
    said: SessionEvent


async def receive(
    chunks: AsyncIterator[bytes], headers: Mapping[str, str], place: Place, source: str, journal: "Journal"
) -> Delivery | KeptEvent | Rejection:
    """Put a body on stable storage, and return its delivery or session event; or its rejection, if it is neither.

    Raises:
        Refused: the body is too large, or comes too slowly.
        Transient: too much is being received, or the inbox does not accept the body; it has to be sent again.
        OSError: the disk cannot store the body.
    """
    incoming = _Incoming(place, source, _why_unreadable(headers))
    try:
        async for chunk in in_time(chunks, place.next_chunk):
            await incoming.take(chunk)
        now = datetime.now(UTC)
        found = await incoming.classified()
        if isinstance(found, SessionEvent):
            kept = KeptEvent(await incoming.as_event(now), found)
            await journal.keep(kept)
            return kept
        return await incoming.finish(found, now, dict(headers))
    finally:
        await incoming.discard()


def on_disk(work: Callable[[*Args], R], *args: *Args) -> "asyncio.Future[R]":
    """Run work that needs only the inbox, in its own threads: a hanging database can occupy all threads of asyncio."""
    return asyncio.get_running_loop().run_in_executor(_INBOX_THREADS, work, *args)


def check_size(size_bytes: int) -> None:
    limit_bytes = settings().max_body_bytes
    if size_bytes > limit_bytes:
        detail = f"expected at most {limit_bytes} bytes; raise CELLAR_MAX_BODY_BYTES for larger archives"
        raise Refused("TOO_LARGE", detail, where="body", status=413)


class _Incoming:
    """A body that is being received, and its refusal, if any. A refused body is kept whole, for quarantine."""

    def __init__(self, place: Place, source: str, refused: Refused | None) -> None:
        self._intake = Intake()
        self._place = place
        self._source = source
        self._scanner = Scanner()
        self._refused = refused
        self._batch: list[bytes] = []
        self._batch_bytes = self._size_bytes = 0
        self._working: asyncio.Future[Any] | None = None

    async def take(self, chunk: bytes) -> None:
        self._size_bytes += len(chunk)
        check_size(self._size_bytes)
        self._place.reserve(self._size_bytes)
        if self._refused is None:
            try:
                self._scanner.feed(chunk)
            except Refused as refused:
                self._refused = refused
        self._batch.append(chunk)
        self._batch_bytes += len(chunk)
        if self._batch_bytes >= _BATCH_BYTES:
            await self._result()
            batch, self._batch, self._batch_bytes = self._batch, [], 0
            self._working = asyncio.gather(on_disk(self._intake.write, batch), on_disk(self._intake.digest, *batch))

    async def classified(self) -> Identity | SessionEvent | Refused:
        """Return what the whole body is, or why it is refused. A thread reads a large skeleton."""
        await self._result()
        if self._size_bytes <= MOST_BYTES_IN_A_LINE:
            return self._classified()
        self._working = on_disk(self._classified)
        found: Identity | SessionEvent | Refused = await self._result()
        return found

    async def as_event(self, now: datetime) -> ReceivedEvent:
        """Return the body as an event that arrived now. A body too large for a line is on stable storage then."""
        body = None
        if self._size_bytes <= MOST_BYTES_IN_A_LINE:
            body = b"".join(self._batch)
            self._intake.digest(body)
        else:
            self._working = on_disk(self._keep_body)
            await self._result()
        return ReceivedEvent(self._source, now, self._intake.receipt_id, self._intake.size_bytes, body)

    async def finish(self, found: Identity | Refused, now: datetime, headers: dict[str, str]) -> Delivery | Rejection:
        self._working = on_disk(self._finish, found, now, headers)
        finished: Delivery | Rejection = await self._result()
        return finished

    async def discard(self) -> None:
        if self._working:
            await asyncio.wait([self._working])
            self._working.exception()  # retrieved, or asyncio logs it: a batch may fail while its sender leaves
        if self._intake.is_open:
            await on_disk(self._intake.discard)

    async def _result(self) -> Any:
        """Wait for the last work of the other thread, and return its result. Shielded: if this task were cancelled,
        `discard` would close the file that the thread still writes to, and the next body might get its descriptor.
        """
        return await asyncio.shield(self._working) if self._working else None

    def _classified(self) -> Identity | SessionEvent | Refused:
        if self._refused:
            return self._refused
        try:
            document = self._scanner.close().document
            if is_archive(document):
                return identity_of(document)
            event = read_event(document, UTC)
            check_event(event)
        except Refused as refused:
            return refused
        return event

    def _keep_body(self) -> None:
        self._intake.digest(*self._batch)
        self._intake.write(self._batch)
        session_events.keep_body(self._intake)

    def _finish(self, found: Identity | Refused, now: datetime, headers: dict[str, str]) -> Delivery | Rejection:
        self._intake.digest(*self._batch)
        self._intake.write(self._batch)
        if isinstance(found, Refused):
            named = process_in(self._scanner.beginning(MOST_BYTES))
            return Rejection(self._intake.quarantine(found, now, named, self._source, headers), found)
        return self._intake.accept(found, now, headers, self._source)


def _why_unreadable(headers: Mapping[str, str]) -> Refused | None:
    """Return the refusal of a body that its header calls compressed: some codings cannot be recognised by the bytes."""
    if headers.get("content-encoding", "").strip().lower() in ("", "identity"):
        return None
    return Refused("COMPRESSED", NOT_COMPRESSED, where="content-encoding", status=415)


class Journal:
    """Makes session events durable many at a time: the events that wait while a batch is being written form the next.

    One sync serves all senders that wait for it, so the rate grows with the number of connections. Each request is
    answered only after the batch of its event is on stable storage. There is no queue: an event waits only as long as
    its sender does. `on_kept` gets the name of each written batch.
    """

    def __init__(self, on_kept: Callable[[str], None]) -> None:
        self._on_kept = on_kept
        self._loop: asyncio.AbstractEventLoop
        self._batches = Grouped(self._write, _MOST_PER_BATCH)

    async def keep(self, kept: KeptEvent) -> None:
        """Return when an event is on stable storage. Raises Transient if the inbox does not take its batch."""
        self._loop = asyncio.get_running_loop()
        await self._batches.done(kept)

    def _write(self, batch: Sequence[KeptEvent]) -> Sequence[None]:
        began_s = time.monotonic()
        name = session_events.write_batch([each.event for each in batch])
        _log_events(batch, time.monotonic() - began_s)
        self._loop.call_soon_threadsafe(self._on_kept, name)  # this is the thread of the batches
        return [None] * len(batch)


def _log_events(batch: Sequence[KeptEvent], duration_s: float) -> None:
    """Log one line a batch: a line an event would cost as much as the event."""
    size_bytes = sum(each.event.size_bytes for each in batch)
    log.info("session events received", events=len(batch), size_bytes=size_bytes, duration_s=round(duration_s, 4))
    types = (each.said.type for each in batch if not each.said.is_known)
    unknown = Counter(
        each if _CELLOSIGNS_OWN_NAME.fullmatch(each) else "other" for each in types
    )  # may be a person's text
    if unknown:
        log.warning("session events of unknown types are kept", types=dict(unknown))

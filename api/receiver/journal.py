"""Makes session events durable many at a time: the events that wait while a batch is being written form the next batch.

One sync serves all senders that wait for it, so the rate grows with the number of connections. Each request is answered
only after the batch of its event is on stable storage. There is no queue: an event waits only as long as its sender
does.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from adapters.inbox import session_events
from api.receiver.receiving import on_disk
from models.completeness.processes import ReceivedEvent, SessionEvent

log = structlog.get_logger()

_CELLOSIGNS_OWN_NAME = re.compile("[A-Z][A-Z0-9_]{0,63}")


@dataclass(frozen=True, slots=True)
class _Waiting:
    event: ReceivedEvent
    said: SessionEvent
    kept: "asyncio.Future[None]"


class Journal:
    """The session events of this process that are not durable yet. `on_kept` gets the name of each written batch."""

    def __init__(self, on_kept: Callable[[str], None]) -> None:
        self._on_kept = on_kept
        self._waiting: list[_Waiting] = []
        self._writing: asyncio.Task[None] | None = None

    async def keep(self, event: ReceivedEvent, said: SessionEvent) -> None:
        """Return when an event is on stable storage.

        Raises:
            Transient: the inbox does not take its batch.
        """
        kept = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(event, said, kept))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        await kept

    async def _write(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                await self._write_batch(batch)
        finally:
            self._writing = None

    async def _write_batch(self, batch: Sequence[_Waiting]) -> None:
        began_s = time.monotonic()
        try:
            name = await on_disk(session_events.write_batch, [each.event for each in batch])
        except Exception as error:  # noqa: BLE001 -- each sender gets it, and answers with what it means
            for each in batch:
                if not each.kept.done():  # its sender may have left
                    each.kept.set_exception(error)
            return
        for each in batch:
            if not each.kept.done():
                each.kept.set_result(None)
        _log(batch, time.monotonic() - began_s)
        self._on_kept(name)


def _log(batch: Sequence[_Waiting], duration_s: float) -> None:
    """Log one line a batch: a line an event would cost as much as the event."""
    size_bytes = sum(each.event.size_bytes for each in batch)
    log.info("session events received", events=len(batch), size_bytes=size_bytes, duration_s=round(duration_s, 4))
    unknown = Counter(_shown(each.said.type) for each in batch if not each.said.is_known)
    if unknown:
        log.warning("session events of unknown types are kept", types=dict(unknown))


def _shown(kind: str) -> str:
    """Return a type as the log may show it: text of another form may be a person's."""
    return kind if _CELLOSIGNS_OWN_NAME.fullmatch(kind) else "other"

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
from adapters.platform.grouping import Grouped
from models.completeness.processes import ReceivedEvent, SessionEvent

log = structlog.get_logger()

_CELLOSIGNS_OWN_NAME = re.compile("[A-Z][A-Z0-9_]{0,63}")
_MOST_PER_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class _Waiting:
    event: ReceivedEvent
    said: SessionEvent


class Journal:
    """The session events of this process that are not durable yet. `on_kept` gets the name of each written batch."""

    def __init__(self, on_kept: Callable[[str], None]) -> None:
        self._on_kept = on_kept
        self._loop: asyncio.AbstractEventLoop
        self._batches = Grouped(self._write, _MOST_PER_BATCH)

    async def keep(self, event: ReceivedEvent, said: SessionEvent) -> None:
        """Return when an event is on stable storage.

        Raises:
            Transient: the inbox does not take its batch.
        """
        self._loop = asyncio.get_running_loop()
        await self._batches.done(_Waiting(event, said))

    def _write(self, batch: Sequence[_Waiting]) -> Sequence[None]:
        began_s = time.monotonic()
        name = session_events.write_batch([each.event for each in batch])
        _log(batch, time.monotonic() - began_s)
        self._loop.call_soon_threadsafe(self._on_kept, name)  # this is the thread of the batches
        return [None] * len(batch)


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

"""Batches of session events: lines of JSON, each with a body as it was sent, its source and its time of arrival.

`{"source", "received_at", "receipt_id", "size_bytes", "body"}`: the body is UTF-8, as the scanner has checked, so text
keeps each byte. `body` is null where the body is a file of its own.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import datetime

import orjson

from models.completeness.processes import ReceivedEvent

MOST_BYTES_IN_A_LINE = 64 << 10
"""A larger body is a file of its own, so that a batch stays small."""


def lines_of(events: Iterable[ReceivedEvent]) -> bytes:
    """Return events as the lines of a batch."""
    return b"".join(map(_line, events))


def events_in(lines: bytes) -> Iterator[ReceivedEvent | None]:
    """Yield the event of each line; None for a line that is damaged: it is no event, or its body has another digest."""
    return map(_event, lines.splitlines())


def _line(event: ReceivedEvent) -> bytes:
    said = {
        "source": event.source,
        "received_at": event.received_at.isoformat(),
        "receipt_id": event.receipt_id,
        "size_bytes": event.size_bytes,
        "body": None if event.body is None else event.body.decode(),
    }
    return orjson.dumps(said) + b"\n"


def _event(line: bytes) -> ReceivedEvent | None:
    try:
        said = json.loads(line)
        body = None if said["body"] is None else said["body"].encode()
        received_at = datetime.fromisoformat(said["received_at"])
        event = ReceivedEvent(str(said["source"]), received_at, said["receipt_id"], int(said["size_bytes"]), body)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    is_whole = received_at.tzinfo and (body is None or hashlib.sha256(body).hexdigest() == event.receipt_id)
    return event if is_whole else None

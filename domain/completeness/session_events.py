"""Reads session events from the parsed skeleton of a request, and tells them apart from archives.

A batch of events is lines of JSON: `{"source", "received_at", "receipt_id", "size_bytes", "body"}`. The body is as it
was sent, UTF-8, as the scanner has checked, so text keeps each byte. It is null where it is a file of its own.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime, tzinfo
from typing import Any

import orjson

from domain.archive.reading import MAX_REFERENCE_CHARACTERS
from domain.body.node import UNSTORABLE, Node, Reading
from models.completeness.processes import ReceivedEvent, SessionEvent, SessionEventType
from models.errors import Refused

ARCHIVE = "WHP_ARCHIVE"
FORM_FIELD_CHANGED = "WHEF_FORM_FIELD_CHANGED"
_MOST_TYPE_CHARACTERS = 64
_KNOWN = frozenset(SessionEventType)
_IDS = "an id, a reference, a process number or a transaction number"


def is_archive(document: dict[str, Any]) -> bool:
    """Return whether a request is an archive, or has no type of event and is refused as an archive without one."""
    event = document.get("event")
    kind = event.get("type") if isinstance(event, dict) else None
    return not isinstance(kind, str) or kind in ("", ARCHIVE)


def read_event(document: dict[str, Any], zone: tzinfo) -> SessionEvent:
    """Return the session event in a document that is no archive, with None for each value that cannot be read. Pure.

    An event of an unknown type may look like an archive: then its root and its first session name the process. `zone`
    is the zone of the time stamp, which names none. Values too long for their column count as unreadable.

    Source: Cellosign, "Outbound: Webhooks"; a session event has `event` and `session`.
    """
    root = Node(document, "", Reading(zone))
    sessions = document.get("sessions")
    first = Node(sessions[0] if isinstance(sessions, list) and sessions else None, "sessions[0]", root.reading)
    places = (root.member("session"), root, first)
    kind = document["event"]["type"]
    return SessionEvent(
        type=UNSTORABLE.sub("\ufffd", kind[:_MOST_TYPE_CHARACTERS]),
        is_known=kind in _KNOWN,
        reference=_first_key(places, "reference") or _first_key(places, "process_id"),
        process_number=_first_number(places, "process_number"),
        transaction_number=_first_number(places, "transaction_number"),
        session_id=_key(places[0].member("id")) or _key(first.member("id")),
        event_at=root.member("event").member("timestamp").moment(),
    )


def check_event(event: SessionEvent) -> None:
    """Check that a session event may be acknowledged.

    Raises:
        Refused: it expects an answer that cellar cannot give, or its type is known and it names no session.
    """
    if event.type == FORM_FIELD_CHANGED:
        raise Refused(
            "FORM_FIELD_CHANGED",
            "this event expects field data back while the form is open, and cellar answers none; take it off the"
            " webhook in Cellosign",
            where="event.type",
        )
    ids = (event.session_id, event.reference, event.process_number, event.transaction_number)
    if event.is_known and all(each is None for each in ids):
        raise Refused("SESSION_MISSING", f"expected a session with {_IDS}", where="session")


def _first_key(places: tuple[Node, ...], name: str) -> str | None:
    return next((found for found in (_key(each.member(name)) for each in places) if found), None)


def _first_number(places: tuple[Node, ...], name: str) -> int | None:
    return next((found for found in (each.member(name).integer() for each in places) if found is not None), None)


def _key(place: Node) -> str | None:
    """Return an identifier that can be a key: a replacement character must not merge two processes."""
    found = place.identifier()
    if found is None or not 0 < len(found) <= MAX_REFERENCE_CHARACTERS:
        return None
    return None if isinstance(place.value, str) and UNSTORABLE.search(place.value) else found


MOST_BYTES_IN_A_LINE = 64 << 10
"""A larger body is a file of its own, so that a batch stays small."""


def lines_of(events: Iterable[ReceivedEvent]) -> bytes:
    """Return events as the lines of a batch."""
    return b"".join(map(_line, events))


def events_in(lines: bytes) -> Iterator[ReceivedEvent | None]:
    """Yield the event of each line; None for a line that is damaged: it is no event, or its body has another digest."""
    return map(_event, lines.splitlines())


def _line(event: ReceivedEvent) -> bytes:
    body = None if event.body is None else event.body.decode()
    return orjson.dumps(asdict(event) | {"received_at": event.received_at.isoformat(), "body": body}) + b"\n"


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

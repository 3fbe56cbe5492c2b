"""Makes the session events of a process, as Cellosign sends them while the process goes on."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from models.completeness.session_event import SessionEventType

Json = Mapping[str, Any]


class Ending(StrEnum):
    """How a process ends: its form is submitted; or its session expires or is deleted before that."""

    SUBMITTED = "submitted"
    EXPIRED = "expired"
    DELETED = "deleted"


@dataclass(frozen=True)
class SimulatedEvent:
    """A session event to send. `at` is the time that it states, without a zone, as Cellosign writes times."""

    type: SessionEventType
    reference: str
    at: datetime
    body: bytes


_LAST = {
    Ending.SUBMITTED: SessionEventType.FORM_SUBMITTED,
    Ending.EXPIRED: SessionEventType.EXPIRED,
    Ending.DELETED: SessionEventType.DELETED,
}
_OF_A_CLIENT = (SessionEventType.FORM_SUBMITTED, SessionEventType.FORM_LOADED, SessionEventType.LOGGED_IN)


def events_of(sessions: Sequence[Json], ending: Ending = Ending.SUBMITTED) -> list[SimulatedEvent]:
    """Return the events of a process in the order of their times.

    Each session is created, loaded, logged in and submitted. With another ending, the last session expires or is
    deleted a day after its form was loaded. `sessions` are those of the archive that the process has, or would have.
    """
    found: list[SimulatedEvent] = []
    for number, session in enumerate(sessions, 1):
        found += _of_session(session, ending if number == len(sessions) else Ending.SUBMITTED)
    return sorted(found, key=lambda each: each.at)


def _of_session(session: Json, ending: Ending) -> Iterator[SimulatedEvent]:
    created_at, submitted_at = map(datetime.fromisoformat, (session["created_at"], session["submitted_at"]))
    took = submitted_at - created_at
    last_at = submitted_at if ending is Ending.SUBMITTED else created_at + timedelta(days=1) + took
    yield _made(SessionEventType.CREATED, session, created_at)
    yield _made(SessionEventType.FORM_LOADED, session, created_at + took / 3)
    yield _made(SessionEventType.LOGGED_IN, session, created_at + took / 2)
    yield _made(_LAST[ending], session, last_at)


def _made(kind: SessionEventType, session: Json, at: datetime) -> SimulatedEvent:
    return SimulatedEvent(kind, session["reference"], at, event_body(kind, session, at))


def event_body(kind: str, session: Json, at: datetime) -> bytes:
    """Return the body of an event of any type. A session lacks what `session` lacks."""
    recipient = session.get("recipient", {})
    told = {name: session[name] for name in _NAMES if name in session}
    document = {
        "event": {"type": kind, "timestamp": at.isoformat(timespec="microseconds")},
        "session": told | {"recipient": {"id": recipient.get("id"), "name": recipient.get("name")}},
    }
    if kind in _OF_A_CLIENT:
        details = session.get("submission_details", {})
        document["client"] = {name: details.get(name) for name in ("ip", "user_agent", "device")}
    return json.dumps(document, ensure_ascii=False).encode()


_NAMES = ("id", "reference", "process_id", "process_number", "transaction_number", "labels")

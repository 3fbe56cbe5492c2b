"""Makes the session events of a process, as Cellosign sends them while the process goes on."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

from models.completeness.processes import SessionEventType

Json = Mapping[str, Any]

_SUBMITTED = SessionEventType.FORM_SUBMITTED
_ENDINGS = (_SUBMITTED, _SUBMITTED, SessionEventType.EXPIRED, SessionEventType.DELETED)
"""Of the processes whose archive is left out, in turn."""
_OF_A_CLIENT = (_SUBMITTED, SessionEventType.FORM_LOADED, SessionEventType.LOGGED_IN)
_NAMES = ("id", "reference", "process_id", "process_number", "transaction_number", "labels")


def events_before(body: bytes, *, left_out: int | None) -> list[bytes]:
    """Return the bodies of the events of a process in the order of their times, but of sessions that state no times.

    Each session is created, loaded, logged in and submitted. If the archive is left out, its last session may expire or
    be deleted instead, a day later.

    Args:
        body: the archive of the process.
        left_out: the number of the archive among those that are left out, None if it is sent.
    """
    sessions = list(_sessions(body))
    endings = [_SUBMITTED] * len(sessions)
    endings[-1:] = [_SUBMITTED if left_out is None else _ENDINGS[left_out % len(_ENDINGS)]]
    told = [(at, kind, each) for each, ending in zip(sessions, endings, strict=False) for at, kind in _of(each, ending)]
    return [event_body(kind, session, at) for at, kind, session in sorted(told, key=itemgetter(0))]


def event_body(kind: str, session: Json, at: datetime) -> bytes:
    """Return the body of an event of any type. Its session lacks what `session` lacks."""
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


def _of(session: Json, ending: SessionEventType) -> Iterator[tuple[datetime, SessionEventType]]:
    created_at, submitted_at = _times(session)
    took = submitted_at - created_at
    yield created_at, SessionEventType.CREATED
    yield created_at + took / 3, SessionEventType.FORM_LOADED
    yield created_at + took / 2, SessionEventType.LOGGED_IN
    yield submitted_at + timedelta(days=ending is not _SUBMITTED), ending


def _times(session: Json) -> tuple[datetime, datetime]:
    return datetime.fromisoformat(session["created_at"]), datetime.fromisoformat(session["submitted_at"])


def _sessions(body: bytes) -> Iterator[Json]:
    """Yield the sessions of an archive that state their times. The archive may be faulty."""
    try:
        document = json.loads(body)
    except ValueError:
        return
    for each in document.get("sessions", ()):
        try:
            _times(each)
        except (TypeError, ValueError):
            continue
        yield each

"""Makes session events for tests, and puts them into the inbox as the receiver does."""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from adapters.inbox import session_events
from adapters.inbox.inbox import Intake
from cli.simulation.payloads.session_events import event_body
from domain.completeness.session_events import MOST_BYTES_IN_A_LINE
from models.completeness.processes import ReceivedEvent, SessionEventType

PERSON = "Marker-314159"
"""Stands for a person's data: it is in every event, and must be nowhere but in the body that is kept."""
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


def session(reference: str | None = "r", number: int = 1) -> dict[str, Any]:
    """Return a session, as its process's archive has it, with personal data."""
    found = {
        "id": f"session-{reference}-{number}",
        "reference": reference,
        "process_id": reference,
        "process_number": 100,
        "transaction_number": 1000 + number,
        "recipient": {"id": number, "name": PERSON},
        "labels": {PERSON: PERSON},
        "submission_details": {"ip": "192.0.2.77", "user_agent": PERSON},
    }
    return {name: value for name, value in found.items() if value is not None}


def body(kind: str = SessionEventType.CREATED, reference: str | None = "r", number: int = 1, **members: Any) -> bytes:
    """Return the body of an event. Members of its root may be replaced."""
    document = json.loads(event_body(kind, session(reference, number), NOON.replace(tzinfo=None)))
    return json.dumps(document | members).encode()


def large_body(reference: str = "large") -> bytes:
    """Return an event of an unknown type that is too large for a line of a batch."""
    return body("WHP_STORAGE", reference, note="é" * MOST_BYTES_IN_A_LINE)


def journaled(bodies: Sequence[bytes], at: datetime = NOON, source: str = "default") -> str:
    """Write a batch into the inbox, and return its name. Large bodies become files of their own."""
    return session_events.write_batch([_received(each, at, source) for each in bodies])


def _received(content: bytes, at: datetime, source: str) -> ReceivedEvent:
    receipt_id, is_small = hashlib.sha256(content).hexdigest(), len(content) <= MOST_BYTES_IN_A_LINE
    if not is_small:
        intake = Intake()
        intake.digest(content)
        intake.write([content])
        session_events.keep_body(intake)
    return ReceivedEvent(source, at, receipt_id, len(content), content if is_small else None)

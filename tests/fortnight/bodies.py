"""What Cellosign sends in the fortnight: session events, and small archives without anything to remark on."""

import json
from datetime import datetime
from typing import Any

from tests.fortnight.plan import PlannedEvent, PlannedProcess


def event_body(process: PlannedProcess, event: PlannedEvent) -> bytes:
    return json.dumps(
        {"event": {"type": event.type, "timestamp": _naive(event.event_at)}, "session": _session(process)}
    ).encode()


def archive_body(process: PlannedProcess, at: datetime) -> bytes:
    began, ended = process.events[0].event_at, process.ended_at or at
    times = {"created_at": _naive(began), "submitted_at": _naive(ended)}
    return json.dumps(
        {
            "event": {"type": "WHP_ARCHIVE", "timestamp": _naive(at)},
            "reference": process.reference,
            "sessions": [_session(process) | times | {"author": "author", "template": {"id": "fortnight"}}],
            "data": [{"id": "greeting", "value": "Hello", "type": "text", "visible": True, "page": 0}],
            "attachments": [{"id": "a", "filename": "a.txt", "mimetype": "text/plain", "content": "SGVsbG8="}],
        }
    ).encode()


def _session(process: PlannedProcess) -> dict[str, Any]:
    return {
        "id": f"session-{process.number}",
        "reference": process.reference,
        "process_id": process.reference,
        "process_number": process.number,
        "transaction_number": 100_000 + process.number,
        "labels": {},
    }


def _naive(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}"

"""Writes the bodies of messages as JSON, each small enough for receivers, with what an endpoint asks for."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from models.messages.bodies import BODIES, MOST_BYTES, Strict
from models.messages.event import EventType

ABOUT_ARCHIVES = frozenset(
    {
        EventType.ARCHIVE_COMPLETED,
        EventType.ARCHIVE_CHANGED,
        EventType.ARCHIVE_ATTENTION,
        EventType.ARCHIVE_FAILED,
    }
)
"""The events whose messages may carry values of an archive."""
LABEL = "label:"
"""What a field begins with that names a label."""
MOST_REPORTED = 50
"""The most entries of a list."""


def encoded(event: EventType, at: datetime, data: Strict, listing: str | None = None) -> bytes:
    """Return the body of a message about an event as JSON in ASCII. The same event gives the same bytes. Pure.

    Args:
        listing: the list in `data` whose last entries are left out until the body fits into `MOST_BYTES`.
    """
    body = BODIES[event](type=event, timestamp=at, data=data)
    content = body.model_dump(mode="json", exclude_unset=True)
    whole = _json(content)
    while len(whole) > MOST_BYTES and listing and content["data"][listing]:
        content["data"][listing].pop()
        whole = _json(content)
    return whole


def with_fields(body: bytes, values: Mapping[str, Any]) -> bytes:
    """Return the body with values as `data.fields`. Values that do not fit into 20 KB are left out. Pure."""
    message = json.loads(body)
    message["data"]["fields"] = kept = {}
    whole = _json(message)
    for name, value in values.items():
        kept[name] = value
        longer = _json(message)
        if len(longer) > MOST_BYTES:
            del kept[name]
        else:
            whole = longer
    return whole


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()

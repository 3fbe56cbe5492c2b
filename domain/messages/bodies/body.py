"""Writes the bodies of messages as JSON, each small enough for receivers."""

import json
from datetime import datetime
from typing import Any

from models.messages.bodies import BODIES
from models.messages.body import MOST_BYTES, Strict
from models.messages.event import EventType

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


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()

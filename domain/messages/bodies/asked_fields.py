"""Adds the personal values that an endpoint asks for to the body of a message."""

import json
from collections.abc import Mapping
from typing import Any

from models.messages.body import MOST_BYTES
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


def _json(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()

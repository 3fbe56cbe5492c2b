"""Ids of messages."""

import hashlib

from models.messages.event import EventType


def message_id_of(subject: str, endpoint: str, event: str = EventType.ARCHIVE_COMPLETED) -> str:
    """Return the message id of the subject of an event, such as a receipt or a group, and an endpoint.

    It never changes, so receivers can ignore repetitions.
    """
    identity = "\n".join((event, subject, endpoint)).encode()
    return f"msg_{hashlib.sha256(identity).hexdigest()[:32]}"

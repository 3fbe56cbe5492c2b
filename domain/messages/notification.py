"""Ids of events and messages."""

import hashlib

from models.messages.event import EventType


def message_id_of(subject: str, endpoint: str, event: str = EventType.ARCHIVE_COMPLETED) -> str:
    """Return the message id of the subject of an event, such as a receipt or a group, and an endpoint. Pure.

    It never changes, so receivers can ignore repetitions.
    """
    return f"msg_{_digest(event, subject, endpoint)}"


def event_id_of(subject: str, event: str) -> str:
    """Return the id of an event. It never changes. Pure."""
    return f"evt_{_digest(event, subject, '')}"


def subject_of(*parts: str) -> str:
    """Return the subject of an event that concerns no receipt, such as the run that found it. Pure."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]

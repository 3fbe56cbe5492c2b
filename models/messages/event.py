"""Events: what has happened here, and downstream systems may want to hear."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sqlmodel import Field, SQLModel

from models.columns import Json, Moment


class EventType(StrEnum):
    """The types of events. `docs/events.md` says when each happens."""

    ARCHIVE_COMPLETED = "archive.completed"
    ARCHIVE_CHANGED = "archive.changed"
    ARCHIVE_ATTENTION = "archive.attention"
    ARCHIVE_FAILED = "archive.failed"
    PROCESS_MISSING = "process.missing"
    PAYMENTS_DISCREPANCIES = "payments.discrepancies"
    DELIVERY_REFUSED = "delivery.refused"
    DOCUMENTS_JUDGED_WORSE = "documents.judged_worse"
    STORE_DAMAGED = "store.damaged"
    STORE_UNVERIFIED = "store.unverified"
    RECEIVER_REFUSING = "receiver.refusing"
    ENDPOINT_TEST = "endpoint.test"


@dataclass(frozen=True, slots=True)
class Event:
    """An event with its body. `subject` tells it from other events of its type: a receipt id, or a group.

    `source`, `template_id` and `labels` are what endpoints filter by; they are absent where an event concerns many
    archives. `body` is the JSON that endpoints receive, at most 20 KB, without personal data.
    """

    type: EventType
    subject: str
    at: datetime
    body: bytes
    reference: str = ""
    source: str | None = None
    template_id: str | None = None
    labels: frozenset[tuple[str, str]] = field(default_factory=frozenset)


class EventRow(SQLModel, table=True):
    """An event. `receipt_id` is its subject."""

    __tablename__ = "event"

    event_id: str = Field(primary_key=True, max_length=64)
    type: str = Field(max_length=64)
    reference: str = Field(index=True, max_length=255)
    receipt_id: str = Field(index=True, max_length=64)
    source: str | None = Field(default=None, max_length=64)
    template_id: str | None = None
    labels: dict[str, str] = Field(default_factory=dict, sa_type=Json)
    at: datetime = Field(index=True, sa_type=Moment)
    body: str


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """How many requests a receiver turned away without keeping their bodies, by the code of the answer."""

    by_code: Mapping[str, int]
    first_at: datetime
    last_at: datetime

"""Events, endpoints and messages.

An event has happened here, and downstream systems may want to hear of it. An endpoint is the URL of such a system. A
message is an event for an endpoint, with every attempt to deliver it. In the database it is a *notification*.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel
from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from models.columns import Json, Moment, index_where


class EventType(StrEnum):
    """The types of events. `docs/events.md` says when each happens."""

    ARCHIVE_COMPLETED = "archive.completed"
    ARCHIVE_CHANGED = "archive.changed"
    ARCHIVE_ATTENTION = "archive.attention"
    ARCHIVE_FAILED = "archive.failed"
    ARCHIVE_ERASED = "archive.erased"
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

    `source` and `template_id` are absent where an event concerns many archives. `body` is the JSON that endpoints
    receive, at most 20 KB, without personal data.
    """

    type: EventType
    subject: str
    at: datetime
    body: bytes
    reference: str = ""
    source: str | None = None
    template_id: str | None = None


class EventRow(SQLModel, table=True):
    """An event. `receipt_id` is its subject."""

    __tablename__ = "event"

    event_id: str = Field(primary_key=True, max_length=64)
    type: str = Field(max_length=64)
    reference: str = Field(index=True, max_length=255)
    receipt_id: str = Field(index=True, max_length=64)
    source: str | None = Field(default=None, max_length=64)
    template_id: str | None = None
    at: datetime = Field(index=True, sa_type=Moment)
    body: str


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """How many requests a receiver turned away without keeping their bodies, by the code of the answer."""

    by_code: Mapping[str, int]
    first_at: datetime
    last_at: datetime


class Signature(StrEnum):
    """How messages are signed. Source: Standard Webhooks, "Signature scheme": `v1` is HMAC-SHA256, `v1a` ed25519."""

    HMAC = "hmac"
    ED25519 = "ed25519"


class EndpointKey(BaseModel):
    """A signing key of an endpoint, sealed. It signs beside newer keys until `until`. HMAC has no public key."""

    signature: Signature
    sealed: str
    public_key: str | None
    since: datetime
    until: datetime | None = None

    def signs_at(self, now: datetime) -> bool:
        return self.until is None or now < self.until


OF_SETTINGS = "settings-"
"""What the names of the endpoints begin with that `CELLAR_NOTIFY_URLS` makes. Their messages have ids of their URLs."""


class EndpointRow(SQLModel, table=True):
    """An endpoint.

    An event passes its filter if its type and source are among `events` and `sources`, of which an empty list lets
    everything pass.

    `keys` are the `EndpointKey`s, newest first. `headers` is a JSON object of its own headers, whose values are sealed.
    `actions` are what people did, each with `at`, `by` and `what`. The name of a removed endpoint stays taken, since
    its messages stay under it. `failing_since` is the first attempt without confirmation since the last confirmation,
    `failing_messages` the number of messages that have failed since; until `paused_until` no attempt is made.
    `values` says `disabled_why` by code.
    """

    __tablename__ = "endpoint"

    name: str = Field(primary_key=True, max_length=64)
    url: str
    signature: str = Field(default=Signature.HMAC, max_length=16)
    keys: list[dict[str, Any]] = Field(default_factory=list, sa_type=Json)
    headers: str | None = None
    events: list[str] = Field(default_factory=list, sa_type=Json)
    sources: list[str] = Field(default_factory=list, sa_type=Json)
    created_at: datetime = Field(sa_type=Moment)
    created_by: str | None = None
    actions: list[dict[str, str]] = Field(default_factory=list, sa_type=Json)
    disabled_at: datetime | None = Field(default=None, sa_type=Moment)
    disabled_why: str | None = None
    values: dict[str, Any] | None = Field(default=None, sa_type=Json)
    removed_at: datetime | None = Field(default=None, sa_type=Moment)
    failing_since: datetime | None = Field(default=None, sa_type=Moment)
    failing_messages: int = 0
    paused_until: datetime | None = Field(default=None, sa_type=Moment)

    @property
    def signing_keys(self) -> list[EndpointKey]:
        return [EndpointKey.model_validate(each) for each in self.keys]

    @property
    def identity(self) -> str:
        """By what the ids of its messages tell this endpoint from others. It never changes."""
        return self.url if self.name.startswith(OF_SETTINGS) else self.name


class NotificationState(StrEnum):
    """`dead`: the endpoint refused permanently, may not be called, or has not confirmed in time; a person may have it
    sent again. `skipped`: a filter or the disabling of the endpoint left it out.
    """

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    SKIPPED = "skipped"


_OF_ENDPOINT = ("endpoint_name", "planned_at", "message_id")


class NotificationRow(SQLModel, table=True):
    """A message to an endpoint. `receipt_id` is the subject of its event; an event of many archives has no reference.

    `endpoint` is the URL when the message was planned, `endpoint_name` names the endpoint. A message that is pending is
    tried next at `next_attempt_at`, and is dead after `expires_at`. Until `claimed_until` an attempt may be under way.
    A redelivery sets what starts the next attempt, `next_trigger` and `next_by`, and begins the schedule anew:
    `tried_before` attempts were made by then. `values` says `skipped_why` by code.
    """

    __tablename__ = "notification"
    __table_args__ = (
        index_where("ix_notification_skipped", "state = 'skipped'", "planned_at"),
        index_where("ix_notification_undelivered", "state IN ('pending', 'dead')", *_OF_ENDPOINT, "state"),
        Index("ix_notification_endpoint", *_OF_ENDPOINT),
    )

    message_id: str = Field(primary_key=True, max_length=64)
    reference: str = Field(index=True, max_length=255)
    receipt_id: str = Field(index=True, max_length=64)
    endpoint: str
    endpoint_name: str = Field(default="", max_length=64)
    event: str = Field(max_length=64)
    event_id: str | None = Field(default=None, index=True, max_length=64)
    state: str = Field(max_length=16)
    skipped_why: str | None = None
    values: dict[str, Any] | None = Field(default=None, sa_type=Json)
    planned_at: datetime = Field(index=True, sa_type=Moment)
    attempts: int = 0
    next_attempt_at: datetime | None = Field(default=None, index=True, sa_type=Moment)
    expires_at: datetime | None = Field(default=None, sa_type=Moment)
    claimed_until: datetime | None = Field(default=None, sa_type=Moment)
    delivered_at: datetime | None = Field(default=None, index=True, sa_type=Moment)
    tried_before: int = 0
    next_trigger: str | None = Field(default=None, max_length=16)
    next_by: str | None = None


class AttemptTrigger(StrEnum):
    """What started an attempt. `manual`: a person redelivered. `forced`: although the endpoint had confirmed before."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"
    FORCED = "forced"


class Stage(StrEnum):
    """Where an attempt failed: before the connection, while it was made, while the message was sent, or afterwards."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    TLS = "tls"
    WRITE = "write"
    ANSWER = "answer"
    STATUS = "status"


class NotificationAttemptRow(SQLModel, table=True):
    """An attempt to deliver a message. Without an answer, `status_code` is None; `stage` and `error` say what failed,
    and `values` says `error` by code.

    `answer` is the beginning of the answer, at most 4 KB, redacted; None where it equals the last one on record.
    """

    __tablename__ = "notification_attempt"

    message_id: str = Field(primary_key=True, max_length=64)
    attempt: int = Field(primary_key=True)
    trigger: str = Field(default=AttemptTrigger.AUTOMATIC, max_length=16)
    by: str | None = None
    url: str | None = None
    attempted_at: datetime = Field(sa_type=Moment, index=True)
    duration_s: float | None = None
    status_code: int | None = None
    stage: str | None = Field(default=None, max_length=16)
    error: str | None = None
    values: dict[str, Any] | None = Field(default=None, sa_type=Json)
    answer: str | None = None
    next_attempt_at: datetime | None = Field(default=None, sa_type=Moment)

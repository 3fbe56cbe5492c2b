"""Messages: an event for an endpoint, with every attempt to deliver it. In the database they are *notifications*."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from models.columns import Json, Moment, index_where


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
    `tried_before` attempts were made by then. `values` says `skipped_why` by code. Messages of earlier builds have no
    `event_id` and no `values`.
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
    attempted_at: datetime = Field(sa_type=Moment)
    duration_s: float | None = None
    status_code: int | None = None
    stage: str | None = Field(default=None, max_length=16)
    error: str | None = None
    values: dict[str, Any] | None = Field(default=None, sa_type=Json)
    answer: str | None = None
    next_attempt_at: datetime | None = Field(default=None, sa_type=Moment)

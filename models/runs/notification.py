"""Notifications: the messages to downstream systems, one per archive version and endpoint."""

from datetime import datetime
from enum import StrEnum

from sqlmodel import Field, SQLModel

from models.columns import Moment


class NotificationState(StrEnum):
    """`dead`: the endpoint refused permanently, or may not be called. A re-run tries once more."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


class NotificationRow(SQLModel, table=True):
    """A message to an endpoint. A message about refused deliveries has no reference; `receipt_id` is their group."""

    __tablename__ = "notification"

    message_id: str = Field(primary_key=True, max_length=64)
    reference: str = Field(index=True, max_length=255)
    receipt_id: str = Field(index=True, max_length=64)
    endpoint: str
    event: str = Field(max_length=64)
    state: str = Field(max_length=16)
    planned_at: datetime = Field(sa_type=Moment)


class NotificationAttemptRow(SQLModel, table=True):
    """An attempt to deliver a message. Without an answer, `status_code` is None and `error` is the reason in a word."""

    __tablename__ = "notification_attempt"

    message_id: str = Field(primary_key=True, max_length=64)
    attempt: int = Field(primary_key=True)
    attempted_at: datetime = Field(sa_type=Moment)
    status_code: int | None = None
    error: str | None = None

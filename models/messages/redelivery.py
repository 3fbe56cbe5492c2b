"""Redeliveries: a filter of messages, the plan that was made of it, and the list that was frozen."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from models.columns import Json, Moment


class RedeliveryRow(SQLModel, table=True):
    """A redelivery. `planned` counts the messages of the plan, after its confirmation of the frozen list.

    `is_forced`: messages that were confirmed before are sent once more.
    """

    __tablename__ = "redelivery"

    id: str = Field(primary_key=True, max_length=36)
    filter: dict[str, Any] = Field(sa_type=Json)
    plan: dict[str, Any] = Field(sa_type=Json)
    planned: int
    is_forced: bool = False
    by: str
    created_at: datetime = Field(sa_type=Moment, index=True)
    confirmed_by: str | None = None
    confirmed_at: datetime | None = Field(default=None, sa_type=Moment)


class RedeliveryMessageRow(SQLModel, table=True):
    """A message of a frozen list, in the order of the events. `was` is its state when the list was frozen.

    `due_at` is the time at which it was made due, or was left as it is, since it had another state by then.
    """

    __tablename__ = "redelivery_message"
    __table_args__ = (Index("ix_redelivery_message_due", "due_at", "redelivery_id", "position"),)

    redelivery_id: str = Field(primary_key=True, max_length=36)
    position: int = Field(primary_key=True)
    message_id: str = Field(max_length=64)
    was: str = Field(max_length=16)
    due_at: datetime | None = Field(default=None, sa_type=Moment)

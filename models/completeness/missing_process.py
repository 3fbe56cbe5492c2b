"""Missing processes: what should have been archived, and the time at which Cellosign deletes it."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index
from sqlmodel import BigInteger, Field, SQLModel

from models.columns import Moment


class Why(StrEnum):
    """Why a process should have been archived. `listed`: Cellosign's own list of processes has it."""

    SUBMITTED = "submitted"
    DELETED = "deleted"
    EXPIRED = "expired"
    LISTED = "listed"


class Closing(StrEnum):
    """Why a finding is closed. `deleted`: its deadline has passed; Cellosign has deleted the process, and it is lost.
    `continued`: another session of the process was opened, so its archive is not due yet.
    """

    ARCHIVED = "archived"
    CONTINUED = "continued"
    DELETED = "deleted"
    DISMISSED = "dismissed"


class MissingProcessRow(SQLModel, table=True):
    """A process that should have been archived since `since`; Cellosign deletes it at `deadline_at`.

    `alerted_h` are the hours before the deadline of the last alert: 24, 12 or 2; None before the first alert.
    `announced_at`: when the endpoints were told that it is missing. `closed_by` and `closed_reason` are those of a
    person.
    """

    __tablename__ = "missing_process"
    __table_args__ = (Index("ix_missing_process_open", "closed_at", "deadline_at"),)

    missing_id: str = Field(primary_key=True, max_length=64)
    source: str = Field(index=True, max_length=64)
    reference: str | None = Field(default=None, index=True, max_length=255)
    process_number: int | None = Field(default=None, index=True, sa_type=BigInteger)
    transaction_number: int | None = Field(default=None, index=True, sa_type=BigInteger)
    session_id: str | None = Field(default=None, max_length=255)
    why: str = Field(max_length=16)
    since: datetime = Field(sa_type=Moment)
    deadline_at: datetime = Field(sa_type=Moment)
    alerted_h: int | None = None
    opened_at: datetime = Field(index=True, sa_type=Moment)
    announced_at: datetime | None = Field(default=None, sa_type=Moment)
    closed_at: datetime | None = Field(default=None, sa_type=Moment)
    closed_why: str | None = Field(default=None, max_length=16)
    closed_by: str | None = None
    closed_reason: str | None = None

"""Missing processes: what should have been archived, and the time at which Cellosign deletes it."""

from datetime import datetime
from enum import StrEnum

from sqlmodel import BigInteger, Field, SQLModel

from models.columns import Moment


class Why(StrEnum):
    """Why a process should have been archived. `listed`: Cellosign's own list of processes has it."""

    SUBMITTED = "submitted"
    DELETED = "deleted"
    EXPIRED = "expired"
    LISTED = "listed"


class Closing(StrEnum):
    """Why a process is missing no more. `deleted`: its deadline has passed, and Cellosign has deleted it."""

    ARCHIVED = "archived"
    DELETED = "deleted"
    DISMISSED = "dismissed"


class MissingProcessRow(SQLModel, table=True):
    """A process that should have been archived since `since`; Cellosign deletes it at `deadline_at`.

    `alerted_h` are the hours before the deadline of the last alert: 24, 12 or 2; None before the first alert.
    """

    __tablename__ = "missing_process"

    missing_id: str = Field(primary_key=True, max_length=64)
    source: str = Field(index=True, max_length=64)
    reference: str | None = Field(default=None, index=True, max_length=255)
    process_number: int | None = Field(default=None, index=True, sa_type=BigInteger)
    transaction_number: int | None = Field(default=None, index=True, sa_type=BigInteger)
    session_id: str | None = Field(default=None, max_length=255)
    why: str = Field(max_length=16)
    since: datetime = Field(sa_type=Moment)
    deadline_at: datetime = Field(index=True, sa_type=Moment)
    alerted_h: int | None = None
    opened_at: datetime = Field(sa_type=Moment)
    closed_at: datetime | None = Field(default=None, index=True, sa_type=Moment)
    closed_why: str | None = Field(default=None, max_length=16)
    closed_by: str | None = None

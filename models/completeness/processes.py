"""Missing processes, the time at which Cellosign deletes them, and what it reports of sessions that still go on."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
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
    person, also of a dismissal that the person withdrew at `withdrawn_at`.
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
    withdrawn_at: datetime | None = Field(default=None, sa_type=Moment)


AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)


class SessionEventType(StrEnum):
    """The types that Cellosign documents. Source: Cellosign, "Outbound: Webhooks"; types are an open set."""

    CREATED = "WHEF_SESSION_CREATED"
    DELETED = "WHEF_SESSION_DELETED"
    EXPIRED = "WHEF_SESSION_EXPIRED"
    FORM_SUBMITTED = "WHEF_CLIENT_FORM_SUBMITTED"
    FORM_LOADED = "WHEF_CLIENT_FORM_LOADED"
    LOGGED_IN = "WHEF_CLIENT_LOGGED_IN"


@dataclass(frozen=True, slots=True)
class SessionEvent:
    """What a session event says. `event_at` is the time that Cellosign states. No person is in it."""

    type: str
    is_known: bool
    reference: str | None
    process_number: int | None
    transaction_number: int | None
    session_id: str | None
    event_at: datetime | None


@dataclass(frozen=True, slots=True)
class ReceivedEvent:
    """One arrival of a session event's body. `body` is None if the body is too large for a line of a batch; then it is
    a file of its own. `receipt_id` is the SHA-256 of the body.
    """

    source: str
    received_at: datetime
    receipt_id: str
    size_bytes: int
    body: bytes | None

    @property
    def event_id(self) -> str:
        return event_id_of(self.source, self.receipt_id)


def event_id_of(source: str, receipt_id: str) -> str:
    """Return the id of an event: the SHA-256 of its source and its receipt id."""
    return hashlib.sha256(f"{source}\n{receipt_id}".encode()).hexdigest()


class SessionEventRow(SQLModel, table=True):
    """A session event. Its id is the SHA-256 of source and receipt id, so an event that comes twice is one row.

    `event_at` is the time that Cellosign states, `received_at` that of the first arrival. The store keeps the body, in
    the file `events/BATCH.jsonl`.

    The search for missing processes looks at an event when `decide_at` has come; None if only something new can change
    its decision. `is_answered`: the event is answered for good, by an archive, by a person, or because it is too late.
    """

    __tablename__ = "session_event"

    event_id: str = Field(primary_key=True, max_length=64)
    source: str = Field(max_length=64)
    type: str = Field(max_length=64)
    is_known: bool
    reference: str | None = Field(default=None, index=True, max_length=255)
    process_number: int | None = Field(default=None, index=True, sa_type=BigInteger)
    transaction_number: int | None = Field(default=None, index=True, sa_type=BigInteger)
    session_id: str | None = Field(default=None, max_length=255)
    event_at: datetime | None = Field(default=None, sa_type=Moment)
    received_at: datetime = Field(index=True, sa_type=Moment)
    batch: str = Field(default="", max_length=80)
    decide_at: datetime | None = Field(default=AT_ONCE, index=True, sa_type=Moment)
    is_answered: bool = False

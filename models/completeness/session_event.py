"""Session events: what Cellosign reports of a session while its process goes on."""

from datetime import datetime
from enum import StrEnum

from sqlmodel import BigInteger, Field, SQLModel

from models.columns import Moment


class SessionEventType(StrEnum):
    """The types that Cellosign documents. Source: Cellosign, "Outbound: Webhooks"; types are an open set."""

    CREATED = "WHEF_SESSION_CREATED"
    DELETED = "WHEF_SESSION_DELETED"
    EXPIRED = "WHEF_SESSION_EXPIRED"
    FORM_SUBMITTED = "WHEF_CLIENT_FORM_SUBMITTED"
    FORM_LOADED = "WHEF_CLIENT_FORM_LOADED"
    LOGGED_IN = "WHEF_CLIENT_LOGGED_IN"


class SessionEventRow(SQLModel, table=True):
    """A session event. Its id is the SHA-256 of source and body, so an event that comes twice is one row.

    `event_at` is the time that Cellosign states, `received_at` that of the first arrival. The store keeps the body.
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

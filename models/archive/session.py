"""Sessions: each is one signing by one recipient. A process has at least one session."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import BigInteger, Field, SQLModel

from models.columns import AnyJson, Json, Moment, text_index


@dataclass(frozen=True, slots=True)
class Invitation:
    """A message that invited the recipient to the form, or that carried the one-time password."""

    purpose: str  # "invitation" or "otp"
    type: str | None
    address: str | None
    provider: str | None
    status: str | None


@dataclass(frozen=True, slots=True)
class Integration:
    """An integration of a session. `where` is its place in the payload."""

    where: str
    id: str | None
    type: str | None
    status: str | None
    executed_at: datetime | None
    error: Any


@dataclass(frozen=True, slots=True)
class Session:
    """A session at `where` in the payload. `recipient` and `submission_details` are also kept whole, with unknown
    members.
    """

    where: str
    id: str | None
    author: str | None
    reference: str | None
    process_id: str | None
    process_number: int | None
    transaction_number: int | None
    template_id: str | None
    recipient_id: str | None
    recipient_name: str | None
    recipient: dict[str, Any]
    latitude: float | None
    longitude: float | None
    submission_details: dict[str, Any]
    created_at: datetime | None
    submitted_at: datetime | None
    labels: dict[str, Any]
    invitations: tuple[Invitation, ...]
    integrations: tuple[Integration, ...]


class SessionRow(SQLModel, table=True):
    __tablename__ = "session"
    __table_args__ = (text_index("session", "id"),)

    reference: str = Field(primary_key=True, max_length=255)
    position: int = Field(primary_key=True)
    id: str | None = None
    author: str | None = None
    process_id: str | None = None
    process_number: int | None = Field(default=None, sa_type=BigInteger, index=True)
    transaction_number: int | None = Field(default=None, sa_type=BigInteger, index=True)
    template_id: str | None = None
    recipient_id: str | None = None
    recipient_name: str | None = None
    recipient: dict[str, Any] = Field(sa_type=Json)
    latitude: float | None = None
    longitude: float | None = None
    submission_details: dict[str, Any] = Field(sa_type=Json)
    created_at: datetime | None = Field(default=None, sa_type=Moment)
    submitted_at: datetime | None = Field(default=None, sa_type=Moment)


class InvitationRow(SQLModel, table=True):
    __tablename__ = "invitation"

    reference: str = Field(primary_key=True, max_length=255)
    session_position: int = Field(primary_key=True)
    position: int = Field(primary_key=True)
    purpose: str = Field(max_length=16)
    type: str | None = None
    address: str | None = None
    provider: str | None = None
    status: str | None = None


class IntegrationRow(SQLModel, table=True):
    __tablename__ = "integration"

    reference: str = Field(primary_key=True, max_length=255)
    session_position: int = Field(primary_key=True)
    position: int = Field(primary_key=True)
    id: str | None = None
    type: str | None = None
    status: str | None = None
    executed_at: datetime | None = Field(default=None, sa_type=Moment)
    error: Any = Field(default=None, sa_type=AnyJson)


class LabelRow(SQLModel, table=True):
    """A label of a session. `value` is always text: a number or a structure is stored as JSON."""

    __tablename__ = "label"
    __table_args__ = (text_index("label", "value"),)

    reference: str = Field(primary_key=True, max_length=255)
    session_position: int = Field(primary_key=True)
    position: int = Field(primary_key=True)
    key: str
    value: str

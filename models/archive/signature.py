"""Signatures: the signature pads of the form, as signed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel

from models.columns import Json, Moment


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature of the payload. `where` is its place in the payload."""

    where: str
    id: str | None
    signed_at: datetime | None
    signer_id: str | None
    signer_name: str | None
    labels: dict[str, Any]


class SignatureRow(SQLModel, table=True):
    __tablename__ = "signature"

    reference: str = Field(primary_key=True, max_length=255)
    position: int = Field(primary_key=True)
    id: str | None = None
    signed_at: datetime | None = Field(default=None, sa_type=Moment)
    signer_id: str | None = None
    signer_name: str | None = None
    labels: dict[str, Any] = Field(sa_type=Json)

"""Refused deliveries: bodies that arrived and are no well-formed archive.

A refused delivery is first a small durable record in quarantine, then a row in the database. The body may name its
process even so.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import BigInteger, Field, SQLModel

from models.columns import Moment, index_where
from models.runs.receipt import DEFAULT_SOURCE


@dataclass(frozen=True, slots=True)
class RefusedDelivery:
    """One refused arrival of a body. `where` and `detail` state the reason and contain no value of the body.

    `delivery_id` starts with the time of arrival, except in records of an earlier cellar. A person dismisses what is no
    archive, or will not come in order: it needs nobody any more, and its body stays.
    """

    delivery_id: str
    receipt_id: str
    received_at: datetime
    size_bytes: int
    code: str
    where: str
    detail: str
    reference: str | None = None
    process_number: int | None = None
    released_at: datetime | None = None
    source: str = DEFAULT_SOURCE
    dismissed_at: datetime | None = None
    dismissed_by: str | None = None
    dismissed_why: str | None = None


class RefusedRow(SQLModel, table=True):
    """A refused delivery. `message` is the group of deliveries that one message reports, from `notified_at` on."""

    __tablename__ = "refused"
    __table_args__ = (index_where("ix_refused_unreleased", "released_at IS NULL", "code", "receipt_id"),)

    delivery_id: str = Field(primary_key=True, max_length=64)
    receipt_id: str = Field(index=True, max_length=64)
    received_at: datetime = Field(index=True, sa_type=Moment)
    size_bytes: int = Field(sa_type=BigInteger)
    code: str = Field(max_length=64)
    where: str
    detail: str
    reference: str | None = Field(default=None, index=True, max_length=255)
    process_number: int | None = Field(default=None, index=True, sa_type=BigInteger)
    released_at: datetime | None = Field(default=None, sa_type=Moment)
    dismissed_at: datetime | None = Field(default=None, sa_type=Moment)
    dismissed_by: str | None = None
    dismissed_why: str | None = None
    notified_at: datetime | None = Field(default=None, index=True, sa_type=Moment)
    message: str | None = Field(default=None, index=True, max_length=64)
    source: str = Field(default=DEFAULT_SOURCE, max_length=64)

"""Receipts, their deliveries and their versions.

A *receipt* is a distinct request body, named by its SHA-256. A *delivery* is one arrival of a receipt: first a small
durable record in the inbox, then a row in the database. A *version* is a receipt that says something new about its
process. A *refused delivery* is no well-formed archive: first a record in quarantine, then a row; its body may name its
process even so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index
from sqlalchemy.orm import deferred
from sqlmodel import BigInteger, Column, Field, LargeBinary, SQLModel, UniqueConstraint

from models.columns import Json, Moment, index_where
from models.runs.cause import CauseColumns

DEFAULT_SOURCE = "default"
"""The source of a delivery at the URL that names no source."""
ACCEPTED_BY = "x-cellar-accepted-by"
"""The header of a delivery that names the person who accepted what another source sent. No sender can set it."""


@dataclass(frozen=True, slots=True)
class Identity:
    """By what people find an archive: its process, template and source. Known before the answer to a delivery."""

    reference: str
    process_number: int | None = None
    template_id: str | None = None
    source: str = DEFAULT_SOURCE


@dataclass(frozen=True, slots=True)
class Delivery:
    """One arrival of a body. `delivery_id` starts with the time of arrival, so names sort by it.

    `process_number` and `template_id` are read before the answer; `source` is that of the URL. Records of earlier
    versions lack them.
    """

    delivery_id: str
    receipt_id: str
    reference: str
    received_at: datetime
    size_bytes: int
    headers: dict[str, str]
    process_number: int | None = None
    template_id: str | None = None
    source: str = DEFAULT_SOURCE


class Outcome(StrEnum):
    """What a delivery brought: a new process, a changed body of a known process, or a known body again."""

    NEW = "new"
    CHANGED = "changed"
    DUPLICATE = "duplicate"


class ReceiptRow(CauseColumns, table=True):
    __tablename__ = "receipt"
    __table_args__ = (Index("ix_receipt_completed_at", "completed_at", "received_at"),)

    receipt_id: str = Field(primary_key=True, max_length=64)
    reference: str = Field(index=True, max_length=255)
    state: str = Field(max_length=16)
    received_at: datetime = Field(sa_type=Moment)
    completed_at: datetime | None = Field(default=None, sa_type=Moment)
    size_bytes: int = Field(sa_type=BigInteger)
    source: str = Field(default=DEFAULT_SOURCE, max_length=64)


class DeliveryRow(SQLModel, table=True):
    __tablename__ = "delivery"
    __table_args__ = (Index("ix_delivery_receipt_id", "receipt_id", "source"),)

    delivery_id: str = Field(primary_key=True, max_length=64)
    receipt_id: str = Field(max_length=64)
    reference: str = Field(index=True, max_length=255)
    received_at: datetime = Field(index=True, sa_type=Moment)
    outcome: str = Field(max_length=16)
    headers: dict[str, str] = Field(sa_type=Json)
    flow_run_id: str | None = Field(default=None, max_length=36)
    source: str = Field(default=DEFAULT_SOURCE, max_length=64)


_SKELETON = Column("skeleton", LargeBinary, nullable=False)


class VersionRow(SQLModel, table=True):
    """A version. `skeleton` is the request without its files' contents, as bytes, because JSONB would refuse NUL.

    It has up to 16 MiB, so no query of rows loads it, and reading it from a row raises. Select the column by itself.
    `is_from_future` and `is_set_aside` are those of its age (`domain/archive/versions.py`).
    """

    __tablename__ = "version"
    __table_args__ = (UniqueConstraint("reference", "version"),)
    __mapper_args__ = {"properties": {"skeleton": deferred(_SKELETON, raiseload=True)}}

    receipt_id: str = Field(primary_key=True, max_length=64)
    reference: str = Field(index=True, max_length=255)
    version: int
    event_at: datetime | None = Field(default=None, sa_type=Moment)
    received_at: datetime = Field(sa_type=Moment)
    skeleton: bytes = Field(sa_column=_SKELETON)
    is_from_future: bool = False
    is_set_aside: bool = False


@dataclass(frozen=True, slots=True)
class RefusedDelivery:
    """One refused arrival of a body. `where` and `detail` state the reason and contain no value of the body.
    `values` says the place in the body, and the reason, apart.

    `delivery_id` starts with the time of arrival, except in records of an earlier cellar. A person dismisses what is no
    archive, or will not come in order: it needs nobody any more, and its body stays. A dismissal that was withdrawn at
    `withdrawn_at` counts no longer, and stays on record.
    A delivery that is set aside has a record once it is dismissed.
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
    withdrawn_at: datetime | None = None
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_dismissed(self) -> bool:
        return self.dismissed_at is not None and (self.withdrawn_at is None or self.withdrawn_at < self.dismissed_at)


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
    withdrawn_at: datetime | None = Field(default=None, sa_type=Moment)
    values: dict[str, Any] | None = Field(default=None, sa_type=Json)
    notified_at: datetime | None = Field(default=None, index=True, sa_type=Moment)
    message: str | None = Field(default=None, index=True, max_length=64)
    source: str = Field(default=DEFAULT_SOURCE, max_length=64)

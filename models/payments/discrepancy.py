"""Discrepancies: contradictions about money between payments, archives and settlement reports."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlmodel import Field, SQLModel

from models.columns import Json, Moment, index_where


class DiscrepancyCode(StrEnum):
    AGING_HOLD = "AGING_HOLD"
    AMBIGUOUS_MATCH = "AMBIGUOUS_MATCH"
    AMOUNT_MISMATCH = "AMOUNT_MISMATCH"
    BAD_AMOUNT = "BAD_AMOUNT"
    BAD_CURRENCY = "BAD_CURRENCY"
    CARD_CONFLICT = "CARD_CONFLICT"
    CARD_EXPIRED = "CARD_EXPIRED"
    CHARGED_BACK = "CHARGED_BACK"
    DUPLICATE_PROVIDER_TRANSACTION = "DUPLICATE_PROVIDER_TRANSACTION"
    DUPLICATE_TRANSACTION = "DUPLICATE_TRANSACTION"
    FIELD_WITHOUT_PAYMENT = "FIELD_WITHOUT_PAYMENT"
    MISSING_IN_ARCHIVE = "MISSING_IN_ARCHIVE"
    MISSING_IN_SETTLEMENT = "MISSING_IN_SETTLEMENT"
    PAYMENT_VANISHED = "PAYMENT_VANISHED"
    PAYMENT_WITHOUT_FIELD = "PAYMENT_WITHOUT_FIELD"
    REFUNDED = "REFUNDED"
    SETTLED_AMOUNT_MISMATCH = "SETTLED_AMOUNT_MISMATCH"
    SETTLED_CURRENCY_MISMATCH = "SETTLED_CURRENCY_MISMATCH"
    SETTLED_LATE = "SETTLED_LATE"
    STATUS_CONFLICT = "STATUS_CONFLICT"
    UNIT_MISMATCH = "UNIT_MISMATCH"
    UNKNOWN_SESSION = "UNKNOWN_SESSION"


PAYLOAD_CODES = frozenset(
    {
        DiscrepancyCode.AMOUNT_MISMATCH,
        DiscrepancyCode.BAD_AMOUNT,
        DiscrepancyCode.BAD_CURRENCY,
        DiscrepancyCode.CARD_CONFLICT,
        DiscrepancyCode.CARD_EXPIRED,
        DiscrepancyCode.FIELD_WITHOUT_PAYMENT,
        DiscrepancyCode.PAYMENT_VANISHED,
        DiscrepancyCode.PAYMENT_WITHOUT_FIELD,
        DiscrepancyCode.STATUS_CONFLICT,
        DiscrepancyCode.UNIT_MISMATCH,
        DiscrepancyCode.UNKNOWN_SESSION,
    }
)
"""Discrepancies that follow from the versions of one archive."""

DUPLICATE_CODES = frozenset({DiscrepancyCode.DUPLICATE_PROVIDER_TRANSACTION, DiscrepancyCode.DUPLICATE_TRANSACTION})
"""Discrepancies that follow from the payments of several archives."""

HOLD_CODES = frozenset({DiscrepancyCode.AGING_HOLD})
"""Discrepancies that follow from the calendar alone."""

SETTLEMENT_CODES = frozenset(DiscrepancyCode) - PAYLOAD_CODES - DUPLICATE_CODES - HOLD_CODES
"""Discrepancies that follow from payments and the provider's reports."""


class DiscrepancyState(StrEnum):
    """`explained`: a person gave the reason. `closed`: its cause is gone."""

    OPEN = "open"
    EXPLAINED = "explained"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A discrepancy. `expected` and `found` are amounts, counts or descriptions in English, never personal data. They
    are compared, and an explanation is of exactly them. `values` says both as codes with values.

    `subject` distinguishes discrepancies with the same code and transaction, by a field's place or an entry's id, for
    example. `payment_id` is None if the current version has no such payment.
    """

    code: DiscrepancyCode
    transaction_id: str | None
    expected: str
    found: str
    subject: str = ""
    payment_id: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict, compare=False)


class DiscrepancyRow(SQLModel, table=True):
    """A recorded discrepancy. `reference` is None if an entry of a settlement report belongs to no archive. Earlier
    builds kept no `values`.

    `discrepancy_id` is made from reference, code, transaction and subject, so the same cause is always the same row.
    """

    __tablename__ = "discrepancy"
    __table_args__ = (index_where("ix_discrepancy_standing", "state != 'closed'", "code", "discrepancy_id", "state"),)

    discrepancy_id: str = Field(primary_key=True, max_length=32)
    reference: str | None = Field(default=None, max_length=255, index=True)
    code: str = Field(max_length=64, index=True)
    transaction_id: str | None = None
    subject: str = ""
    payment_id: str | None = Field(default=None, max_length=32)
    expected: str
    found: str
    values: dict[str, Any] | None = Field(default=None, sa_type=Json)
    state: str = Field(max_length=16, index=True)


class DiscrepancyEventRow(SQLModel, table=True):
    """An event of a discrepancy: it was opened, explained, closed or reopened."""

    __tablename__ = "discrepancy_event"

    discrepancy_id: str = Field(primary_key=True, max_length=32)
    number: int = Field(primary_key=True)
    state: str = Field(max_length=16)
    at: datetime = Field(index=True, sa_type=Moment)
    by: str | None = None
    """The person who explained the discrepancy."""
    why: str | None = None


class DiscrepancyLogRow(SQLModel, table=True):
    """The number of changes to the discrepancies of a process, and the number that the store has.

    `reference` is empty for discrepancies that belong to no archive.
    """

    __tablename__ = "discrepancy_log"

    reference: str = Field(primary_key=True, max_length=255)
    changes: int
    kept: int

"""Discrepancies: contradictions about money between payments, archives and settlement reports."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlmodel import Field, SQLModel

from models.columns import Json, Moment, index_where
from models.said import FindingCode, finding

_WHETHER_CHARGED = "Check at the provider whether the customer was charged."
_WHAT_FOR = "Check what was paid for, then explain it here."


class DiscrepancyCode(FindingCode):
    AGING_HOLD = finding(
        "Money has been held on a card for too long, neither charged nor released.",
        "Charge or release the amount at the provider.",
    )
    AMBIGUOUS_MATCH = finding(
        "A row of the settlement report fits several payments, so it was matched to none.",
        "Find out at the provider which payment was settled, then explain it here.",
    )
    AMOUNT_MISMATCH = finding(
        "The amount of the payment differs from the amount that the provider states.",
        "Find out at the provider which amount was charged, then correct or explain the difference.",
    )
    BAD_AMOUNT = finding(
        "An amount of the payment is unusable, so it was not compared.",
        "Look the amount up at the provider, then explain it here.",
    )
    BAD_CURRENCY = finding(
        "The currency of the payment is unknown, so its amount is not counted.",
        "Look the currency up at the provider, then explain it here.",
    )
    CARD_CONFLICT = finding(
        "The payment names two different cards.",
        "Find out at the provider which card was charged, then explain it here.",
    )
    CARD_EXPIRED = finding("The card had expired when the form was submitted.", _WHETHER_CHARGED)
    CHARGED_BACK = finding(
        "The cardholder has charged the payment back.",
        "Contest it at the provider in time, or collect the money another way.",
    )
    DUPLICATE_PROVIDER_TRANSACTION = finding(
        "Two payments are the same transaction at the provider.",
        "Check at the provider that the customer was charged once.",
    )
    DUPLICATE_TRANSACTION = finding(
        "Another archive has the same transaction.",
        "Find out to which archive the transaction belongs, then explain it here.",
    )
    FIELD_WITHOUT_PAYMENT = finding("The form refers to a payment that the archive does not have.", _WHETHER_CHARGED)
    MISSING_IN_ARCHIVE = finding(
        "The provider has settled a payment that no archive has.",
        "Find out at the provider what was paid for. See among the missing processes whether its archive is missing.",
    )
    MISSING_IN_SETTLEMENT = finding(
        "The provider has not settled a payment that was charged.", "Ask the provider when the payment will be settled."
    )
    PAYMENT_VANISHED = finding(
        "An earlier version of the archive has a charge that the current version lacks.", _WHETHER_CHARGED
    )
    PAYMENT_WITHOUT_FIELD = finding("The archive has a payment that no field of the form refers to.", _WHAT_FOR)
    REFUNDED = finding("The payment was refunded.", "Check that the refund is right, then explain it here.")
    SETTLED_AMOUNT_MISMATCH = finding(
        "The provider has settled a different amount than was charged.", "Ask the provider about the difference."
    )
    SETTLED_CURRENCY_MISMATCH = finding(
        "The provider has settled in a different currency than was charged.", "Ask the provider about the currency."
    )
    SETTLED_LATE = finding(
        "The provider has settled the payment late.", "Ask the provider about the delay, then explain it here."
    )
    STATUS_CONFLICT = finding("The archive contradicts itself about whether the payment succeeded.", _WHETHER_CHARGED)
    UNIT_MISMATCH = finding(
        "The amount and the provider's total are in different units, such as agorot and shekels; check "
        "CELLAR_AMOUNT_UNIT.",
        "Correct the setting, then run the archive again.",
    )
    UNKNOWN_SESSION = finding("The payment does not belong to a session of this archive.", _WHAT_FOR)


SETTLEMENT_CODES = frozenset(
    {
        DiscrepancyCode.AMBIGUOUS_MATCH,
        DiscrepancyCode.CHARGED_BACK,
        DiscrepancyCode.MISSING_IN_ARCHIVE,
        DiscrepancyCode.MISSING_IN_SETTLEMENT,
        DiscrepancyCode.REFUNDED,
        DiscrepancyCode.SETTLED_AMOUNT_MISMATCH,
        DiscrepancyCode.SETTLED_CURRENCY_MISMATCH,
        DiscrepancyCode.SETTLED_LATE,
    }
)
"""Discrepancies that follow from payments and the provider's reports."""

DUPLICATE_CODES = frozenset({DiscrepancyCode.DUPLICATE_PROVIDER_TRANSACTION, DiscrepancyCode.DUPLICATE_TRANSACTION})
"""Discrepancies that follow from the payments of several archives."""

HOLD_CODES = frozenset({DiscrepancyCode.AGING_HOLD})
"""Discrepancies that follow from the calendar alone."""

PAYLOAD_CODES = frozenset(DiscrepancyCode) - SETTLEMENT_CODES - DUPLICATE_CODES - HOLD_CODES
"""Discrepancies that follow from the versions of one archive."""


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
    """A recorded discrepancy. `reference` is None if an entry of a settlement report belongs to no archive.

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
    """The person who explained the discrepancy, or took the explanation back."""
    why: str | None = None

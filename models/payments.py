"""Payments in integers of minor units, the terms they are read by, and the ledger for data teams.

`docs/ledger.md` describes each column of the ledger.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from sqlalchemy import Column, Date, Index, Integer, MetaData, String, Table
from sqlmodel import BigInteger, Field, SQLModel

from models.columns import Moment, text_index


class Standing(StrEnum):
    """The meaning of a payment for the books. Only a charge is revenue."""

    VERIFIED = "verified"
    HELD = "held"
    CHARGED = "charged"
    SETTLED = "settled"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt at a payment: one element of `payments`, with numbers in the units as sent.

    A member is None if the sent value is missing or cannot be read. `card_expires` is the first day of the month in
    which the card expires. `number_of_payments`, `first_payment` and `periodical_payment` are the provider's
    instalments, in minor units.
    """

    transaction_id: str | None
    session_id: str | None
    type: str | None
    status: str | None
    amount: Decimal | None
    currency: str | None
    provider_total: Decimal | None
    provider_reference: str | None
    card_mask: str | None
    card_brand: str | None
    card_acquirer: str | None = None
    card_no_last4: str | None = None
    card_expires: date | None = None
    cguid: str | None = field(default=None, repr=False)
    """The id of the provider's transaction. A secret, like the authorisation number."""
    authorisation: str | None = field(default=None, repr=False)
    number_of_payments: Decimal | None = None
    first_payment: Decimal | None = None
    periodical_payment: Decimal | None = None
    results: Mapping[str, str] = field(default_factory=dict)
    """The values of those members of the provider's result by which the installation judges success."""


@dataclass(frozen=True, slots=True)
class Payment:
    """All attempts at one transaction, in the payload's order. An attempt without a transaction id is a payment."""

    attempts: tuple[Attempt, ...]

    @property
    def transaction_id(self) -> str | None:
        return self.attempts[0].transaction_id


class BookedAttempt(SQLModel):
    """What settlement reports are compared with: an attempt, as it is or would be booked."""

    card_last4: str | None = Field(default=None, max_length=4)
    amount_minor: int | None = Field(default=None, sa_type=BigInteger)
    currency: str | None = None
    standing: str = Field(max_length=16)
    paid_on: date | None = None
    """The day on which its session was submitted, otherwise the day of the archive's event, in the settings' zone."""
    instalments: int | None = None
    first_minor: int | None = Field(default=None, sa_type=BigInteger)
    periodical_minor: int | None = Field(default=None, sa_type=BigInteger)


class PaymentFacts(BookedAttempt):
    """What the row of a payment and its view share. The members that `Attempt` also has are those of the payload."""

    transaction_id: str | None = None
    session_id: str | None = None
    type: str | None = None
    status: str | None = None
    card_mask: str | None = None
    card_brand: str | None = None
    card_acquirer: str | None = None
    """Who clears the payment and reports its payout: the provider. Cellosign spells the member `card_aquirer`."""
    provider_reference: str | None = None
    attempts: int = 1


class PaymentRow(PaymentFacts, table=True):
    """A payment with all its attempts. `standing` is the standing by the payload.

    Card tokens and authorisation numbers are secrets. The secrets by which settlement reports are matched are stored as
    keyed fingerprints. `payment_id` stays the same in every version.
    """

    __tablename__ = "payment"
    __table_args__ = (text_index("payment", "transaction_id"), Index("ix_payment_paid_on", "paid_on"))

    reference: str = Field(primary_key=True, max_length=255)
    position: int = Field(primary_key=True)
    payment_id: str = Field(max_length=32, index=True)
    cguid_fingerprint: str | None = Field(default=None, max_length=64, index=True)
    authorisation_fingerprint: str | None = Field(default=None, max_length=64, index=True)


class PaymentKeyRow(BookedAttempt, table=True):
    """An attempt that does not decide its payment, but that an entry of a report may match.

    Entries are matched to attempts that may have taken money. An attempt that took no money leads only to its archive.
    """

    __tablename__ = "payment_key"

    reference: str = Field(primary_key=True, max_length=255)
    position: int = Field(primary_key=True)
    payment_id: str = Field(max_length=32)
    cguid_fingerprint: str | None = Field(default=None, max_length=64, index=True)
    authorisation_fingerprint: str | None = Field(default=None, max_length=64, index=True)


AmountUnit = Literal["minor", "major"]


@dataclass(frozen=True, slots=True)
class PaymentType:
    """The meaning of a success of a type. If `needs_authorisation`, it counts only with an authorisation number."""

    standing: Standing
    needs_authorisation: bool


@dataclass(frozen=True, slots=True)
class PaymentTerms:
    """The terms by which payments are booked.

    `unit` is the unit of `payments[].amount`. `results` maps members of the provider's result to the values that mean
    success, in lower case. `zone` is the time zone of the provider's days: the day of a payment, and today.
    """

    unit: AmountUnit
    types: Mapping[str, PaymentType]
    results: Mapping[str, frozenset[str]]
    zone: tzinfo

    def day_of(self, moment: datetime) -> date:
        return moment.astimezone(self.zone).date()


# A view, so it has metadata of its own: a migration creates it by hand.
LEDGER = Table(
    "payment_ledger",
    MetaData(),
    Column("reference", String, nullable=False),
    Column("position", Integer, nullable=False),
    Column("process_number", BigInteger),
    Column("template_id", String),
    Column("version", Integer),
    Column("payment_id", String, nullable=False),
    Column("transaction_id", String),
    Column("session_id", String),
    Column("type", String),
    Column("status", String),
    Column("amount_minor", BigInteger),
    Column("currency", String),
    Column("standing", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("paid_on", Date),
    Column("settled_minor", BigInteger),
    Column("settled_first_on", Date),
    Column("settled_last_on", Date),
    Column("received_at", Moment, nullable=False),
    Column("completed_at", Moment),
    Column("discrepancies", String),
    Column("refunded_minor", BigInteger),
    Column("charged_back_minor", BigInteger),
    Column("revenue_minor", BigInteger),
    Column("source", String, nullable=False),
)

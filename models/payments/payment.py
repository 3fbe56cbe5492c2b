"""Payments: what the provider did for the process, in integers of minor units."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

from sqlmodel import BigInteger, Field, SQLModel

from models.columns import text_index


class Standing(StrEnum):
    """What a payment means for the books. Only a charge is revenue."""

    VERIFIED = "verified"
    HELD = "held"
    CHARGED = "charged"
    SETTLED = "settled"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Attempt:
    """An entry of `payments` as the payload states it: numbers as sent, unit and all; None where what was sent is
    missing or cannot be read.

    `card_expires` is the first day of the month in which the card expires. The three numbers of payments are what the
    provider says of instalments, in minor units.
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
    card_no_last4: str | None = None
    card_expires: date | None = None
    cguid: str | None = field(default=None, repr=False)
    """Of the provider's transaction. A secret, as the number of the authorisation is."""
    authorisation: str | None = field(default=None, repr=False)
    number_of_payments: Decimal | None = None
    first_payment: Decimal | None = None
    periodical_payment: Decimal | None = None
    results: Mapping[str, str] = field(default_factory=dict)
    """What those members of the provider's result say that the installation judges success by; no others."""


@dataclass(frozen=True, slots=True)
class Payment:
    """All attempts at one transaction, in the payload's order. An entry without one is a payment of its own."""

    attempts: tuple[Attempt, ...]

    @property
    def transaction_id(self) -> str | None:
        return self.attempts[0].transaction_id


class PaymentRow(SQLModel, table=True):
    """A payment, with all attempts at it; what it means for the books by what the payload says.

    Card tokens and authorisation numbers are secrets: of those that the settlement is matched by there is a keyed
    fingerprint. `payment_id` stays the same in every version.
    """

    __tablename__ = "payment"
    __table_args__ = (text_index("payment", "transaction_id"),)

    reference: str = Field(primary_key=True, max_length=255)
    position: int = Field(primary_key=True)
    payment_id: str = Field(max_length=32, index=True)
    transaction_id: str | None = None
    session_id: str | None = None
    type: str | None = None
    status: str | None = None
    amount_minor: int | None = Field(default=None, sa_type=BigInteger)
    currency: str | None = None
    card_mask: str | None = None
    card_brand: str | None = None
    card_last4: str | None = Field(default=None, max_length=4)
    provider_reference: str | None = None
    cguid_fingerprint: str | None = Field(default=None, max_length=64, index=True)
    authorisation_fingerprint: str | None = Field(default=None, max_length=64, index=True)
    standing: str = Field(max_length=16)
    attempts: int = 1
    paid_on: date | None = Field(default=None, index=True)
    """The day on which its session was submitted, or else that of the archive's event, in the zone of the settings."""
    instalments: int | None = None
    first_minor: int | None = Field(default=None, sa_type=BigInteger)
    periodical_minor: int | None = Field(default=None, sa_type=BigInteger)


class PaymentKeyRow(SQLModel, table=True):
    """Another attempt at a payment than the one that decides, as rows of reports may have it: any that may have taken
    money can be settled, and one that took none tells whose row it is.
    """

    __tablename__ = "payment_key"

    reference: str = Field(primary_key=True, max_length=255)
    position: int = Field(primary_key=True)
    payment_id: str = Field(max_length=32)
    cguid_fingerprint: str | None = Field(default=None, max_length=64, index=True)
    authorisation_fingerprint: str | None = Field(default=None, max_length=64, index=True)
    card_last4: str | None = Field(default=None, max_length=4)
    amount_minor: int | None = Field(default=None, sa_type=BigInteger)
    currency: str | None = None
    standing: str = Field(max_length=16)
    paid_on: date | None = None
    instalments: int | None = None
    first_minor: int | None = Field(default=None, sa_type=BigInteger)
    periodical_minor: int | None = Field(default=None, sa_type=BigInteger)

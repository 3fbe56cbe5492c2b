"""Payments that the provider made for a process, in integers of minor units."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

from sqlmodel import BigInteger, Field, SQLModel

from models.columns import text_index


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


class PaymentRow(SQLModel, table=True):
    """A payment with all its attempts. `standing` is the standing by the payload.

    Card tokens and authorisation numbers are secrets. The secrets by which settlement reports are matched are stored as
    keyed fingerprints. `payment_id` stays the same in every version.
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
    """The day on which its session was submitted, otherwise the day of the archive's event, in the settings' zone."""
    instalments: int | None = None
    first_minor: int | None = Field(default=None, sa_type=BigInteger)
    periodical_minor: int | None = Field(default=None, sa_type=BigInteger)


class PaymentKeyRow(SQLModel, table=True):
    """An attempt that does not decide its payment, but that an entry of a report may match.

    Entries are matched to attempts that may have taken money. An attempt that took no money leads only to its archive.
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

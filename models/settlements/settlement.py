"""Settlement: what the provider reports to have paid out, held against what the archives say was paid."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from sqlmodel import BigInteger, Field, SQLModel

from models.columns import Moment
from models.payments.payment import Standing


class EntryKind(StrEnum):
    CHARGE = "charge"
    REFUND = "refund"
    CHARGEBACK = "chargeback"


class Match(StrEnum):
    """How an entry was matched to a payment, or why it was not."""

    CGUID = "cguid"
    AUTHORISATION = "authorisation"
    """By authorisation number, last four digits, amount and date."""
    AMBIGUOUS = "ambiguous"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of a report. Amounts are integers of minor units, and `kind` tells the direction: only that of a reversal,
    which is a chargeback taken back, is negative. A fee has the sign that its report writes: that of one given back is
    the other than that of one paid.

    `entry_id` is made of everything but `line`, and of how many such rows stood before it in its report.
    """

    entry_id: str
    line: int
    kind: EntryKind
    settled_on: date
    paid_on: date | None
    amount_minor: int
    fee_minor: int | None
    currency: str
    cguid_fingerprint: str | None
    authorisation_fingerprint: str | None
    card_last4: str | None
    instalment: int | None
    instalments: int | None
    """How many there are of it, where its row says so."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What an entry is matched to. One that is not matched may still name the archive that its cguid leads to."""

    match: Match
    reference: str | None = None
    payment_id: str | None = None


@dataclass(frozen=True, slots=True)
class DecidedEntry:
    entry: Entry
    decision: Decision


@dataclass(frozen=True, slots=True)
class Candidate:
    """A payment as settlements see it, by one of the attempts at it."""

    reference: str
    payment_id: str
    transaction_id: str | None
    standing: Standing
    amount_minor: int | None
    currency: str | None
    paid_on: date | None
    cguid_fingerprint: str | None
    authorisation_fingerprint: str | None
    card_last4: str | None
    instalments: int | None
    first_minor: int | None
    periodical_minor: int | None


@dataclass(frozen=True, slots=True, order=True)
class Days:
    """Both are covered."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class SettlementTerms:
    """`fee_tolerance_minor`: how much less than was paid a row may bring."""

    fee_tolerance_minor: int = 0
    late_after_days: int = 7


class SettlementReportRow(SQLModel, table=True):
    """An imported report, by the SHA-256 of its rows as they are kept. `covers`: the days of which it has the charges;
    None where it has no charge. `is_judged`: what differs since it came was put on record, to the end; else whoever
    imported it was killed.
    """

    __tablename__ = "settlement_report"

    report_id: str = Field(primary_key=True, max_length=64)
    imported_at: datetime = Field(sa_type=Moment)
    covers_from: date | None = None
    covers_to: date | None = None
    entries: int
    is_judged: bool = False


class DamagedReportRow(SQLModel, table=True):
    """A report that the store does not give back, and whose rows are missing here. While there is one, what reports say
    is only added to: nobody knows what it would bear out.
    """

    __tablename__ = "damaged_report"

    report_id: str = Field(primary_key=True, max_length=64)


class SettlementEntryRow(SQLModel, table=True):
    """A row of a report, once however often it was imported. Amounts are integers of minor units, those of fees with
    the sign that the report writes.
    """

    __tablename__ = "settlement_entry"

    entry_id: str = Field(primary_key=True, max_length=32)
    report_id: str = Field(max_length=64, index=True)
    line: int
    kind: str = Field(max_length=16)
    settled_on: date = Field(index=True)
    paid_on: date | None = None
    amount_minor: int = Field(sa_type=BigInteger)
    fee_minor: int | None = Field(default=None, sa_type=BigInteger)
    currency: str = Field(max_length=3)
    cguid_fingerprint: str | None = Field(default=None, max_length=64, index=True)
    authorisation_fingerprint: str | None = Field(default=None, max_length=64, index=True)
    card_last4: str | None = Field(default=None, max_length=4)
    instalment: int | None = None
    instalments: int | None = None
    match: str = Field(max_length=16, index=True)
    reference: str | None = Field(default=None, max_length=255, index=True)
    """Of the payment; where none is matched, of the archive that has its cguid in an attempt that took no money."""
    payment_id: str | None = Field(default=None, max_length=32, index=True)
    """Only where it is matched."""


class SettlementCandidateRow(SQLModel, table=True):
    """An archive, and what its payments have or had in common with a row that was decided by it: a fingerprint of
    either kind. When its payments become others, this still leads to those rows that do not name it.
    """

    __tablename__ = "settlement_candidate"

    reference: str = Field(primary_key=True, max_length=255)
    fingerprint: str = Field(primary_key=True, max_length=64)

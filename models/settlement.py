"""Settlement: what the provider reports to have paid out, held against what the archives say was paid."""

from datetime import date, datetime
from enum import StrEnum

from sqlmodel import BigInteger, Field, SQLModel

from models.columns import Moment


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


class SettlementReportRow(SQLModel, table=True):
    """An imported report, by the SHA-256 of its rows as they are kept. Both days of `covers` are covered."""

    __tablename__ = "settlement_report"

    report_id: str = Field(primary_key=True, max_length=64)
    imported_at: datetime = Field(sa_type=Moment)
    covers_from: date
    covers_to: date
    entries: int


class SettlementEntryRow(SQLModel, table=True):
    """A row of a report, once however often it was imported. Amounts are integers of minor units."""

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
    match: str = Field(max_length=16)
    reference: str | None = Field(default=None, max_length=255, index=True)
    payment_id: str | None = Field(default=None, max_length=32, index=True)

"""Settlement: the payouts that the provider reports, and how they match the payments of archives."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from sqlmodel import BigInteger, Field, SQLModel

from models.columns import Moment
from models.discrepancies import Discrepancy, DiscrepancyCode
from models.payments import Standing


class EntryKind(StrEnum):
    CHARGE = "charge"
    REFUND = "refund"
    CHARGEBACK = "chargeback"


class Match(StrEnum):
    """How an entry was matched to a payment, or why it was not matched."""

    CGUID = "cguid"
    AUTHORISATION = "authorisation"
    """By authorisation number, last four digits, amount and date."""
    AMBIGUOUS = "ambiguous"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of a report. Amounts are integers of minor units, and `kind` gives their direction.

    Only a reversal, which takes a chargeback back, has a negative amount. A fee has the sign of its report; a returned
    fee has the opposite sign of a paid fee. `entry_id` is made from all members but `line`, and from the number of
    equal rows before it in its report.
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
    """The number of instalments, if the row states it."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The match of an entry. An unmatched entry may still name the archive to which its cguid leads."""

    match: Match
    reference: str | None = None
    payment_id: str | None = None


@dataclass(frozen=True, slots=True)
class DecidedEntry:
    entry: Entry
    decision: Decision


@dataclass(frozen=True, slots=True)
class Candidate:
    """An attempt at a payment, with the values by which entries are matched to the payment."""

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
    """A stretch of days, including `first` and `last`."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class SettlementTerms:
    """`fee_tolerance_minor`: how much less than the paid amount an entry may bring."""

    fee_tolerance_minor: int = 0
    late_after_days: int = 7


class SettlementReportRow(SQLModel, table=True):
    """An imported report. `report_id` is the SHA-256 of its stored rows.

    `covers_from` and `covers_to` limit the days whose charges it has; they are None if it covers none. `is_judged`: all
    discrepancies that follow from it are recorded. If false, its import was killed or is still running.
    """

    __tablename__ = "settlement_report"

    report_id: str = Field(primary_key=True, max_length=64)
    imported_at: datetime = Field(sa_type=Moment)
    covers_from: date | None = None
    covers_to: date | None = None
    entries: int
    is_judged: bool = False


class DamagedReportRow(SQLModel, table=True):
    """A report that the store cannot return, so its rows are missing in the database.

    While such a report exists, recorded discrepancies from reports stay as they are: its entries may confirm them.
    """

    __tablename__ = "damaged_report"

    report_id: str = Field(primary_key=True, max_length=64)


class SettlementEntryRow(SQLModel, table=True):
    """An entry of a report, stored once however often it was imported.

    Amounts are integers of minor units. Fees have the sign that the report writes.
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
    """The archive of the matched payment, or the archive that has its cguid in an attempt that took no money."""
    payment_id: str | None = Field(default=None, max_length=32, index=True)
    """None if the entry is not matched."""


class SettlementCandidateRow(SQLModel, table=True):
    """A fingerprint that an archive's payments share or shared with an entry, and that helped to decide the entry.

    It is of a cguid or of an authorisation number. When the archive's payments change, it still leads to entries that
    do not name the archive.
    """

    __tablename__ = "settlement_candidate"

    reference: str = Field(primary_key=True, max_length=255)
    fingerprint: str = Field(primary_key=True, max_length=64)


@dataclass(frozen=True, slots=True)
class TakenEntry:
    """An entry taken in by an import. `is_new`: no earlier report had it. It has a `discrepancy` if it leads to no
    archive.
    """

    decided: DecidedEntry
    is_new: bool
    discrepancy: Discrepancy | None


@dataclass(frozen=True, slots=True)
class DayTotal:
    """The totals of one day of settlement in one currency, in minor units."""

    settled_on: date
    currency: str
    entries: int
    charged_minor: int
    refunded_minor: int
    charged_back_minor: int
    fees_minor: int
    unmatched: int


@dataclass(frozen=True, slots=True)
class SettlementFinding:
    """A discrepancy found by an import. `reference` is None if its entry leads to no archive. `is_explained`: a person
    gave the reason.
    """

    reference: str | None
    discrepancy: Discrepancy
    is_explained: bool


_SIDES = {
    "missing_in_archive": (DiscrepancyCode.MISSING_IN_ARCHIVE,),
    "missing_in_settlement": (DiscrepancyCode.MISSING_IN_SETTLEMENT,),
    "ambiguous": (DiscrepancyCode.AMBIGUOUS_MATCH,),
    "differing": (
        DiscrepancyCode.SETTLED_AMOUNT_MISMATCH,
        DiscrepancyCode.SETTLED_CURRENCY_MISMATCH,
        DiscrepancyCode.SETTLED_LATE,
    ),
    "taken_back": (DiscrepancyCode.REFUNDED, DiscrepancyCode.CHARGED_BACK),
}


@dataclass(frozen=True, slots=True)
class SettlementSummary:
    """Counts and findings of an import. `new` entries were in no earlier report, `matched` entries have a payment."""

    reports: int
    entries: int
    new: int
    matched: int
    totals: tuple[DayTotal, ...]
    findings: tuple[SettlementFinding, ...]

    @property
    def unexplained(self) -> int:
        return sum(not each.is_explained for each in self.findings)

    @property
    def sides(self) -> dict[str, int]:
        """How many findings there are of each side."""
        return {name: sum(each.discrepancy.code in codes for each in self.findings) for name, codes in _SIDES.items()}

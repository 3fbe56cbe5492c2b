"""The summary of an import of settlement reports."""

from dataclasses import dataclass
from datetime import date

from models.payments.discrepancy import Discrepancy, DiscrepancyCode
from models.settlements.settlement import DecidedEntry


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

    def count(self, *codes: DiscrepancyCode) -> int:
        return sum(each.discrepancy.code in codes for each in self.findings)

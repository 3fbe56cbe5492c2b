"""What an import of settlement reports has found."""

from dataclasses import dataclass
from datetime import date

from models.payments.discrepancy import Discrepancy, DiscrepancyCode
from models.settlements.settlement import DecidedEntry


@dataclass(frozen=True, slots=True)
class TakenEntry:
    """A row as an import takes it in. `is_new`: it stood in no report before. `discrepancy`: of one that leads to
    no archive.
    """

    decided: DecidedEntry
    is_new: bool
    discrepancy: Discrepancy | None


@dataclass(frozen=True, slots=True)
class DayTotal:
    """What reports say of one day of settlement in one currency, in minor units."""

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
    """`reference` is None where a row leads to no archive. `is_explained`: a person has said why it is in order."""

    reference: str | None
    discrepancy: Discrepancy
    is_explained: bool


@dataclass(frozen=True, slots=True)
class SettlementSummary:
    """Of all rows, `new` ones were in no report before, and `matched` ones have a payment."""

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

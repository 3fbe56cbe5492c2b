"""Counts the entries and findings of an import of settlement reports."""

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import date

from domain.payments.discrepancies import by_id
from domain.settlements.matching import MATCHED
from models.discrepancies import Discrepancy
from models.settlements.settlement import DayTotal, EntryKind, SettlementFinding, SettlementSummary, TakenEntry


class Tally:
    """A running count of entries and findings. An entry that is in several of the reports counts once."""

    def __init__(self) -> None:
        self.references: set[str] = set()
        """The archives to which entries lead."""
        self._days: dict[tuple[date, str], Counter[str]] = {}
        self._seen: set[str] = set()
        self._new = self._matched = 0
        self.found: dict[str, Discrepancy] = {}
        """By id."""
        self._archives: dict[str, str | None] = {}

    def take(self, taken: TakenEntry) -> None:
        entry, decision = taken.decided.entry, taken.decided.decision
        if entry.entry_id in self._seen:
            return
        self._seen.add(entry.entry_id)
        is_matched = decision.match in MATCHED
        self._new += taken.is_new
        self._matched += is_matched
        day = self._days.setdefault((entry.settled_on, entry.currency), Counter())
        day.update({"entries": 1, "unmatched": not is_matched, "fees": entry.fee_minor or 0})
        day[entry.kind] += entry.amount_minor
        if decision.reference is not None:
            self.references.add(decision.reference)
        if taken.discrepancy:
            self.find(None, [taken.discrepancy])

    def find(self, reference: str | None, discrepancies: Iterable[Discrepancy]) -> None:
        named = by_id(reference, discrepancies)
        self.found |= named
        self._archives |= dict.fromkeys(named, reference)

    def summary(self, reports: int, explained: Collection[str]) -> SettlementSummary:
        """Return the summary of an import. `explained` holds the ids of explained discrepancies."""
        findings = (
            SettlementFinding(self._archives[found_id], each, found_id in explained)
            for found_id, each in self.found.items()
        )
        return SettlementSummary(
            reports=reports,
            entries=len(self._seen),
            new=self._new,
            matched=self._matched,
            totals=tuple(_total(*each) for each in sorted(self._days.items(), key=lambda each: each[0])),
            findings=tuple(findings),
        )


def _total(day: tuple[date, str], counted: Counter[str]) -> DayTotal:
    settled_on, currency = day
    return DayTotal(
        settled_on=settled_on,
        currency=currency,
        entries=counted["entries"],
        charged_minor=counted[EntryKind.CHARGE],
        refunded_minor=counted[EntryKind.REFUND],
        charged_back_minor=counted[EntryKind.CHARGEBACK],
        fees_minor=counted["fees"],
        unmatched=counted["unmatched"],
    )

"""Reads the settlement reports that were taken in, and the nearest payments of entries that match none."""

from dataclasses import dataclass
from datetime import timedelta

from sqlmodel import col, select

from adapters.database.listing import Order, listed
from adapters.database.transactions import reading
from adapters.settings.settings import settings
from adapters.tables import settlements
from adapters.tables.settlements import Candidates
from domain.settlements.matching import differing
from models.settlements.settlement import Candidate, DecidedEntry, SettlementEntryRow, SettlementReportRow

_AT_ONCE, _MOST_NEAR, _MOST_COMPARED = 20, 3, 20
_NEWEST_FIRST = Order(col(SettlementReportRow.imported_at), col(SettlementReportRow.report_id), is_descending=True)
_BY_LINE = Order(col(SettlementEntryRow.line), col(SettlementEntryRow.entry_id))


@dataclass(frozen=True, slots=True)
class TakenReport:
    """A report, and how many of its own entries match no payment now. `come`: how many have come, None at the end."""

    row: SettlementReportRow
    come: int | None
    unmatched: int


def reports(cursor: str | None = None, report_id: str | None = None) -> tuple[list[TakenReport], str | None]:
    """Return a page of the reports, newest first, or one of them, and the cursor of the next page.

    Raises Refused if the cursor is none.
    """
    wanted = select(SettlementReportRow)
    if report_id is not None:
        wanted = wanted.where(SettlementReportRow.report_id == report_id)
    with reading() as session:
        rows, following = listed(session, wanted, _NEWEST_FIRST, cursor, _AT_ONCE)
        unmatched = settlements.counted(session, [each.report_id for each in rows], unmatched=True)
        coming = [each.report_id for each in rows if not each.is_judged]
        come = dict.fromkeys(coming, 0) | settlements.counted(session, coming, unmatched=False)
    return [TakenReport(each, come.get(each.report_id), unmatched.get(each.report_id, 0)) for each in rows], following


def damaged() -> int:
    """Return how many reports the store cannot return."""
    with reading() as session:
        return len(settlements.damaged_reports(session))


Near = tuple[Candidate, list[str]]
"""A payment near an entry, and in what they differ."""


def unmatched(report_id: str, cursor: str | None = None) -> tuple[list[tuple[DecidedEntry, list[Near]]], str | None]:
    """Return a page of the entries of a report that match no payment, by line, each with the nearest payments, and the
    cursor of the next page.

    Near are payments with its transaction or authorisation number; without any, payments of its days.
    Raises Refused if the cursor is none.
    """
    late_after = timedelta(days=settings().settlement_terms.late_after_days)
    its = col(SettlementEntryRow.report_id) == report_id, col(SettlementEntryRow.match).in_(settlements.UNMATCHED)
    with reading() as session:
        rows, following = listed(session, select(SettlementEntryRow).where(*its), _BY_LINE, cursor, _AT_ONCE)
        known = settlements.entries_of(session, [each.entry_id for each in rows])
        entries = [known[each.entry_id] for each in rows]
        candidates, found = Candidates(session, [each.entry for each in entries]), []
        for each in entries:
            entry = each.entry
            payments = candidates.of(entry) or settlements.nearest(session, entry, late_after, _MOST_NEAR)
            near = [(payment, differing(entry, payment)) for payment in payments[:_MOST_COMPARED]]
            found.append((each, sorted(near, key=lambda pair: len(pair[1]))[:_MOST_NEAR]))
    return found, following

"""Compares archives with settlement reports, and records the discrepancies.

Discrepancies follow from the database. One transaction finds them and another writes them, so they are found once more
after writing: of several processes that judge at once, the last to write is right.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime

from sqlmodel import Session, col, select

from adapters.database.transactions import pages, read_all, reading
from adapters.settings.settings import settings
from adapters.tables import settlements
from adapters.tables.archives.archives import has_locked_payments, without_locked
from adapters.tables.settlements import Candidates
from domain.payments.discrepancies import by_id
from domain.payments.identity import discrepancy_id
from domain.settlements.matching import ambiguous, judge_archive, last_missed, merged, unmatched
from models.discrepancies import SETTLEMENT_CODES, Discrepancy, DiscrepancyCode, DiscrepancyRow, DiscrepancyState
from models.settlements.settlement import Days, DecidedEntry, Entry, Match
from services.payments import discrepancies, recorded
from services.payments.holds import reconcile_holds

FoundByArchive = dict[str | None, list[Discrepancy]]
"""By archive; None has the entries that lead to no archive."""

_ARCHIVES_AT_ONCE = 1000
_NOBODYS_CODES = (DiscrepancyCode.AMBIGUOUS_MATCH, DiscrepancyCode.MISSING_IN_ARCHIVE)
_ROWS_AT_ONCE = 2000


def in_batches(references: Iterable[str]) -> Iterator[list[str]]:
    return pages(sorted(references), _ARCHIVES_AT_ONCE)


def reconcile_archives(references: Sequence[str], now: datetime) -> FoundByArchive:
    """Record the discrepancies between archives and settlement reports, and return them."""
    found = _written(lambda: discrepancies_of(references, now), now)
    reconcile_holds(references, now)  # a settled payment is no longer held
    settlements.index_standings(references)
    return found


def discrepancies_of(
    references: Sequence[str],
    now: datetime,
    pending: Mapping[str, Sequence[DecidedEntry]] | None = None,
    covered: Iterable[Days] = (),
) -> FoundByArchive:
    """Return the discrepancies between archives and settlement reports. Locked archives are skipped.

    Args:
        references: the archives, a thousand at most.
        now: decides which payments are too recent to be missed in the reports.
        pending: entries that the database does not have, by archive.
        covered: the days of reports that the database does not have.
    """
    with reading() as session:
        payments = settlements.payments_of(session, references)
        entries = settlements.entries_of_archives(session, references)
        coverage = merged([*settlements.coverage(session), *covered])
        passed_over = set(references).difference(without_locked(session, dict.fromkeys(references)))
    terms, today = settings().settlement_terms, settings().payment_terms.day_of(now)
    found: FoundByArchive = {}
    for reference in references:
        if reference not in passed_over:
            its_entries = [*entries.get(reference, ()), *(pending or {}).get(reference, ())]
            found[reference] = judge_archive(payments.get(reference, []), its_entries, coverage, terms, today)
    return _with_what_may_stand(found)


def _with_what_may_stand(found: FoundByArchive) -> FoundByArchive:
    """Add the recorded discrepancies, unchanged, while a report is damaged: its entries may confirm them."""
    with reading() as session:
        if not settlements.damaged_reports(session):
            return found
    return {
        reference: list((by_id(reference, each) | recorded.not_closed_by_id(reference, SETTLEMENT_CODES)).values())
        for reference, each in found.items()
    }


def may_be_settled_differently(reference: str, now: datetime) -> bool:
    """Return whether an archive has or may get discrepancies with reports. One query, without a lock on archives."""
    with settlements.seeing_all_matches() as session:
        return settlements.may_differ(session, reference, _last_missed(now))


def unsettled_archives(covered: Iterable[Days], now: datetime) -> set[str]:
    """Return the archives with a charge of these days that no report has, and that is old enough to be missed."""
    until = _last_missed(now)
    old_enough = [Days(days.first, min(days.last, until)) for days in covered]
    with reading() as session:
        return {each for days in old_enough for each in settlements.archives_without_settlement(session, days)}


def with_open_discrepancies() -> set[str]:
    """Return the archives with recorded discrepancies, which may no longer be right."""
    wanted = select(DiscrepancyRow.reference).where(
        col(DiscrepancyRow.code).in_(sorted(SETTLEMENT_CODES)),
        DiscrepancyRow.state != DiscrepancyState.CLOSED,
        col(DiscrepancyRow.reference).is_not(None),
    )
    return {reference for reference in read_all(wanted.distinct()) if reference is not None}


def coverage() -> list[Days]:
    """Return the days whose charges are in the reports."""
    with reading() as session:
        return settlements.coverage(session)


def reconcile_unmatched(now: datetime) -> None:
    """Record the entries that lead to no archive."""

    def _found() -> FoundByArchive:
        with reading() as session:
            found: FoundByArchive = {
                None: unmatched_discrepancies(session, list(settlements.unmatched_entries(session)))
            }
        return _with_what_may_stand(found)

    _written(_found, now)


def unmatched_discrepancies(session: Session, decided: Sequence[DecidedEntry]) -> list[Discrepancy]:
    """Return the discrepancies of the entries that lead to no archive.

    While an archive is locked, an entry without a payment may belong to it, so only recorded discrepancies of such
    entries are returned.
    """
    several = [each.entry for each in decided if each.decision.match is Match.AMBIGUOUS]
    none = [each.entry for each in decided if each.decision.match is Match.NONE and each.decision.reference is None]
    if none and has_locked_payments(session):
        on_record = _on_record(session, (DiscrepancyCode.MISSING_IN_ARCHIVE,), none)
        none = [each for each in none if _id(DiscrepancyCode.MISSING_IN_ARCHIVE, each.entry_id) in on_record]
    found = [unmatched(entry) for entry in none]
    terms = settings().settlement_terms
    for these in pages(several, _ROWS_AT_ONCE):
        candidates = Candidates(session, these)
        found += [ambiguous(entry, candidates.of(entry), terms) for entry in these]
    return found


def is_on_record(session: Session, decided: Sequence[DecidedEntry]) -> bool:
    """Return whether the discrepancies of entries that lead to no archive equal the recorded discrepancies."""
    found = {
        discrepancy_id(None, each): (each.expected, each.found) for each in unmatched_discrepancies(session, decided)
    }
    return found == _on_record(session, _NOBODYS_CODES, [each.entry for each in decided])


def _on_record(
    session: Session, codes: Iterable[DiscrepancyCode], entries: Iterable[Entry]
) -> dict[str, tuple[str, str]]:
    """Return, by id, the expected and found values of the discrepancies of entries that are recorded and not closed."""
    on_record: dict[str, tuple[str, str]] = {}
    for page in pages(_id(code, entry.entry_id) for entry in entries for code in codes):
        wanted = col(DiscrepancyRow.discrepancy_id).in_(page), DiscrepancyRow.state != DiscrepancyState.CLOSED
        for row in session.exec(select(DiscrepancyRow).where(*wanted)):
            on_record[row.discrepancy_id] = (row.expected, row.found)
    return on_record


def _id(code: DiscrepancyCode, entry_id: str) -> str:
    return discrepancy_id(None, Discrepancy(code, None, "", "", entry_id))


def _written(find: Callable[[], FoundByArchive], now: datetime) -> FoundByArchive:
    found = find()
    while True:
        discrepancies.reconcile_many(found, SETTLEMENT_CODES, now)
        again = find()
        if again == found:
            return found
        found = again


def _last_missed(now: datetime) -> date:
    return last_missed(settings().payment_terms.day_of(now), settings().settlement_terms)

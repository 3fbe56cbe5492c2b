"""Imports settlement reports: matches their entries to payments, and records the discrepancies.

Each step can be repeated: entries are identified by their content; matches and discrepancies follow from the data.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import cast

import structlog
from sqlmodel import Session

from adapters.database.transactions import pages, reading, writing
from adapters.settings.settings import settings
from adapters.store import happened, settlement_reports
from adapters.store.seals import fingerprint, previewed_fingerprints
from adapters.store.settlement_reports import OnDamaged, Report
from adapters.tables import settlements
from adapters.tables.settlements import Candidates
from domain.settlements.matching import claimants, decide
from domain.settlements.tally import Tally
from models.errors import Code, Conflict, Refused
from models.said import Sentence
from models.settlements.report_format import ReportFormat
from models.settlements.settlement import (
    Days,
    DecidedEntry,
    Entry,
    Match,
    SettlementReportRow,
    SettlementSummary,
    TakenEntry,
)
from services.payments import recorded
from services.settlements import judging

OnProgress = Callable[[str, int, int], None]
"""Called with the name of a step, how much of it was just done, and how much there is in all."""

log = structlog.get_logger()

_ROWS_AT_ONCE = 2000


def report_format() -> ReportFormat:
    """Return how reports are read. Raises Refused if the settings do not say it."""
    form = settings().report_format
    if form is None:
        detail = "set CELLAR_SETTLEMENT_COLUMNS to a file as docs/settlement.md describes it"
        raise Refused("BAD_SETTLEMENT_COLUMNS", detail)
    return form


def take_files(
    files: Iterable[tuple[str, bytes]], form: ReportFormat, now: datetime, on_progress: OnProgress, *, is_preview: bool
) -> tuple[SettlementSummary, str]:
    """Import or preview the reports in files by their names, and return the summary and the id of the last report.

    Raises Refused if a file is no such report, which is named then.
    """
    reports = list[Report]()
    fingerprints = previewed_fingerprints() if is_preview else fingerprint
    with ExitStack() as stack:
        for name, data in files:
            try:
                reports.append(stack.enter_context(settlement_reports.staged(data, form, fingerprints)))
            except Refused as refused:
                where = ", ".join(filter(None, [name, refused.where]))
                raise Refused(
                    cast(Code, refused.code), Sentence.at_place(where=where, detail=refused.said)
                ) from refused
        take = preview_reports if is_preview else import_reports
        return take(reports, now, on_progress), reports[-1].report_id


def import_reports(reports: Sequence[Report], now: datetime, on_progress: OnProgress) -> SettlementSummary:
    """Keep reports, match their entries and record the discrepancies. Idempotent.

    Other reports whose import was killed are imported first.

    Raises Transient if store or database does not answer; import them again.
    """
    imported = [_row(report, settlement_reports.keep(report, now)) for report in reports]
    with writing() as session:
        for row in imported:
            settlements.begin_report(session, row)
    tally, total = Tally(), sum(report.entries for report in reports)
    on_progress("match", 0, total)  # from here on, a kill loses nothing
    _finish(now, _log_damaged, but={each.report_id for each in reports})
    for taken in chain.from_iterable(_matched(report) for report in reports):
        for each in taken:
            tally.take(each)
        on_progress("match", len(taken), total)
    _insert_reports(imported)
    references = _concerned(tally, reports, now)
    for batch in judging.in_batches(references):
        for reference, found in judging.reconcile_archives(batch, now).items():
            tally.find(reference, found)
        on_progress("judge", len(batch), len(references))
    judging.reconcile_unmatched(now)
    _set_judged(imported)
    happened.keep()
    return tally.summary(len(reports), recorded.explained(tally.found))


def restore_reports(now: datetime, on_damaged: OnDamaged) -> int:
    """Restore the reports of the store into a database that has its archives already, and return their number.

    A damaged report is passed to `on_damaged`, and blocks no other report.
    """
    count = _finish(now, on_damaged)
    _judge(judging.with_open_discrepancies(), now)
    return count


def _finish(now: datetime, on_damaged: OnDamaged, but: Collection[str] = frozenset()) -> int:
    """Import the reports of the store that were not judged to the end, and return their number.

    Args:
        but: the reports that the caller imports.
    """
    with reading() as session:
        done = settlements.judged_reports(session).union(but)
    imported: list[SettlementReportRow] = []
    references: set[str | None] = set()
    damaged: dict[str, str] = {}
    for report_id, imported_at in settlement_reports.kept(damaged.__setitem__, but=done):
        try:
            with settlement_reports.stored(report_id) as report:
                for taken in _matched(report):
                    references |= {each.decided.decision.reference for each in taken}
                imported.append(_row(report, imported_at))
        except Conflict as conflict:
            damaged[report_id] = str(conflict)
    _set_damaged(damaged, on_damaged, but)
    if not imported:
        return 0
    _insert_reports(imported)
    covered = [Days(each.covers_from, each.covers_to) for each in imported if each.covers_from and each.covers_to]
    _judge({each for each in references if each is not None} | judging.unsettled_archives(covered, now), now)
    _set_judged(imported)
    return len(imported)


def _matched(report: Report) -> Iterator[list[TakenEntry]]:
    """Yield the entries of a report in portions, after writing each portion with its matches to the database."""
    for entries in pages(report.rows(), _ROWS_AT_ONCE):
        with settlements.matching_alone() as session:
            taken = _taken(session, entries)
            new = [each.decided for each in taken if each.is_new]
            settlements.insert_entries(session, report.report_id, new)
            _remember_candidates(session, new)
        yield taken


def _insert_reports(imported: Iterable[SettlementReportRow]) -> None:
    """Record reports, after their entries: days that count as covered then lack no entry."""
    with settlements.matching_alone() as session:
        for each in imported:
            settlements.insert_report(session, each)


def _set_damaged(damaged: Mapping[str, str], on_damaged: OnDamaged, but: Collection[str]) -> None:
    """Report damaged reports, and record them before anything is judged. Reports in `but` are about to be repaired."""
    for report_id, reason in damaged.items():
        on_damaged(report_id, reason)
    with reading() as session:
        before = settlements.damaged_reports(session)
    now = before.intersection(but).union(damaged)
    if now != before:
        with writing() as session:
            settlements.set_damaged(session, now)


def _judge(references: Iterable[str], now: datetime) -> None:
    for batch in judging.in_batches(references):
        judging.reconcile_archives(batch, now)
    judging.reconcile_unmatched(now)


def _set_judged(imported: Iterable[SettlementReportRow]) -> None:
    with writing() as session:
        settlements.set_judged(session, [each.report_id for each in imported])


def _log_damaged(report_id: str, reason: str) -> None:
    log.error("a settlement report is not imported", report_id=report_id, reason=reason)


def preview_reports(reports: Sequence[Report], now: datetime, on_progress: OnProgress) -> SettlementSummary:
    """Return the summary that `import_reports` would return, and change nothing."""
    tally = Tally()
    pending: dict[str, dict[str, DecidedEntry]] = defaultdict(dict)
    total = sum(report.entries for report in reports)
    for entries in pages(chain.from_iterable(report.rows() for report in reports), _ROWS_AT_ONCE):
        with reading() as session:
            taken = _taken(session, entries)
        on_progress("match", len(entries), total)
        for each in taken:
            tally.take(each)
            if each.is_new and each.decided.decision.reference is not None:
                pending[each.decided.decision.reference][each.decided.entry.entry_id] = each.decided
    references = _concerned(tally, reports, now)
    for batch in judging.in_batches(references):
        rows = {reference: list(pending[reference].values()) for reference in batch if reference in pending}
        for reference, found in judging.discrepancies_of(batch, now, rows, _covered(reports)).items():
            tally.find(reference, found)
        on_progress("judge", len(batch), len(references))
    return tally.summary(len(reports), recorded.explained(tally.found))


def reconcile_all_archives(now: datetime) -> None:
    """Record the payments that have become late since the last import, and finish the work of killed processes."""
    _finish(now, _log_damaged)
    _judge(judging.unsettled_archives(judging.coverage(), now) | judging.with_open_discrepancies(), now)


def rematch(reference: str, now: datetime) -> None:
    """Decide again the entries that belong or could belong to an archive, since its payments may have changed, and
    record the discrepancies.

    Idempotent; it also finishes the work of a killed run.
    """
    if not judging.may_be_settled_differently(reference, now):
        return
    redecided = _decided_again(reference)
    for batch in judging.in_batches({reference} | redecided.references):
        judging.reconcile_archives(batch, now)
    if not redecided.unmatched_are_right:
        judging.reconcile_unmatched(now)
    if redecided.outlived:
        with writing() as session:
            settlements.forget(session, reference, redecided.outlived)


@dataclass(frozen=True, slots=True)
class _Redecided:
    """The archives to judge, and whether the entries of no archive are recorded correctly. `outlived`: fingerprints
    that lead to the same entries again if the process is killed before they are judged.
    """

    references: set[str]
    unmatched_are_right: bool
    outlived: list[str]


def _decided_again(reference: str) -> _Redecided:
    terms = settings().settlement_terms
    with settlements.matching_alone() as session:
        before = settlements.entries_concerned(session, reference)
        candidates = Candidates(session, [each.entry for each in before])
        after = [DecidedEntry(each.entry, decide(each.entry, candidates.of(each.entry), terms)) for each in before]
        changed = [(was, each) for was, each in zip(before, after, strict=True) if was != each]
        settlements.update_decisions(session, [each for _, each in changed])
        given_back = [was.entry for was, _ in changed if was.decision.reference == reference]
        settlements.remember(session, ((each, [reference]) for each in given_back))
        _remember_candidates(session, after)
        able = [claimants(each.entry, candidates.of(each.entry), terms) for each in before]
        led_to = {each.decision.reference for each in (*before, *after) if each.decision.reference is not None}
        return _Redecided(
            references=led_to.union(*able),
            unmatched_are_right=judging.is_on_record(session, after),
            outlived=settlements.outlived(session, reference),
        )


def _remember_candidates(session: Session, decided: Iterable[DecidedEntry]) -> None:
    """Remember the archives whose payments are candidates of an ambiguous entry."""
    terms = settings().settlement_terms
    several = [each.entry for each in decided if each.decision.match is Match.AMBIGUOUS]
    candidates = Candidates(session, several)
    settlements.remember(session, ((each, claimants(each, candidates.of(each), terms)) for each in several))


def _taken(session: Session, entries: Sequence[Entry]) -> list[TakenEntry]:
    """Decide new entries; known entries keep their decision."""
    terms = settings().settlement_terms
    before = settlements.entries_of(session, [each.entry_id for each in entries])
    known = {entry_id: each.decision for entry_id, each in before.items()}
    candidates = Candidates(session, [each for each in entries if each.entry_id not in known])
    decided = [
        DecidedEntry(each, known.get(each.entry_id) or decide(each, candidates.of(each), terms)) for each in entries
    ]
    discrepancies = {each.subject: each for each in judging.unmatched_discrepancies(session, decided)}
    return [
        TakenEntry(each, each.entry.entry_id not in known, discrepancies.get(each.entry.entry_id)) for each in decided
    ]


def _concerned(tally: Tally, reports: Sequence[Report], now: datetime) -> set[str]:
    """Return the archives that entries lead to, and the archives with a charge that is missing in the reports."""
    return tally.references | judging.unsettled_archives(_covered(reports), now)


def _covered(reports: Sequence[Report]) -> list[Days]:
    return [report.covers for report in reports if report.covers]


def _row(report: Report, imported_at: datetime) -> SettlementReportRow:
    return SettlementReportRow(
        report_id=report.report_id,
        imported_at=imported_at,
        covers_from=report.covers.first if report.covers else None,
        covers_to=report.covers.last if report.covers else None,
        entries=report.entries,
    )

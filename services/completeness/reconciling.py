"""Compares Cellosign's own list of its processes with the archives, and opens findings of the missing processes."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from adapters.database.transactions import pages, reading, writing
from adapters.lists.list_files import rows_of_list
from adapters.settings.settings import settings
from adapters.store.sources import terms_of
from adapters.store.tombstones import marks
from adapters.tables.completeness import listed as tables
from adapters.tables.erased import erased, is_any
from domain.completeness.list_rows import read_list
from domain.completeness.listed import ListTerms, compare, finding_of, listed_id, span_of
from models.completeness.list_format import ListFormat
from models.completeness.listed import (
    Comparison,
    DifferenceKind,
    ListDifference,
    ListedFinding,
    ListedProcess,
    ProcessList,
    SheetRow,
)
from models.completeness.processes import Closing
from models.errors import Locked
from models.runs.receipt import DEFAULT_SOURCE
from services.sources import check_filter

_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Listed:
    """The findings of missing processes, in the order of the processes, and how many of them are new."""

    findings: list[ListedFinding]
    new: int


def open_listed(missing: Iterable[ListedFinding], now: datetime, *, dry_run: bool = False) -> Listed:
    """Open findings with why `listed`, and return the finding of each process.

    A process that is missing already, by its session events or by an earlier list, keeps its finding, and so does a
    process that a person has dismissed. A finding whose deadline has passed does not count: the list shows that
    Cellosign still has the process. The search closes the findings whose archive arrives.
    """
    findings: list[ListedFinding] = []
    new = 0
    for page in pages(missing, _AT_ONCE):
        with reading() if dry_run else writing() as session:
            known = tables.known_findings(session, page)
            theirs = [finding_of(each, near) for each, near in zip(page, known, strict=True)]
            opened = [
                _with_new_id(each, near) for each, near, its in zip(page, known, theirs, strict=True) if its is None
            ]
            if not dry_run:
                tables.open_within(session, opened, now)
        new += len(opened)
        rest = iter(opened)
        findings += (its or next(rest) for its in theirs)
    return Listed(findings, new)


def _with_new_id(finding: ListedFinding, known: Iterable[ListedFinding]) -> ListedFinding:
    used = {each.missing_id for each in known}
    earlier, missing_id = 0, finding.missing_id
    while missing_id in used:
        earlier += 1
        missing_id = listed_id(finding.source, finding.process_number, finding.transaction_number, earlier)
    return replace(finding, missing_id=missing_id)


OnRows = Callable[[int], None]
"""Called with the number of rows that were just read."""

_ROWS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Reconciled:
    """A list, how it differs from the archives, and how many findings are new. `kind` is that of its file.

    A missing process that a person has dismissed is no difference, and is counted.
    """

    kind: str
    read: ProcessList
    compared: Comparison
    new_findings: int
    dismissed: int

    @property
    def is_well(self) -> bool:
        return not self.compared.differences and not self.read.unread_count


def reconcile_list(path: Path, source: str | None, now: datetime, on_rows: OnRows, *, dry_run: bool) -> Reconciled:
    """Compare a list with the archives and open findings of the missing processes. Repeating it changes nothing.

    Args:
        source: the source that the list stands for; None means all sources.
        now: decides which processes are due, and which Cellosign has deleted.

    Raises:
        Refused: the file is no list, or there is no such source; nothing was recorded.
        Transient: the database or the store does not answer; run it again.
    """
    check_filter(source)
    form = settings().list_format
    found = rows_of_list(path, form)
    read = read_list(_counted(found.rows, on_rows), form, source)
    compared = compare_list(read.processes, form, source, now)
    missing = (_finding(each, now) for each in compared.differences if each.kind is DifferenceKind.MISSING)
    listed = open_listed(missing, now, dry_run=dry_run)
    differences = list(_with_findings(compared.differences, iter(listed.findings)))
    dismissed = len(compared.differences) - len(differences)
    return Reconciled(found.kind, read, replace(compared, differences=differences), listed.new, dismissed)


def _with_findings(
    differences: Iterable[ListDifference], findings: Iterator[ListedFinding]
) -> Iterator[ListDifference]:
    """Yield the differences, the missing ones with id and deadline of their findings, which come in the same order.

    What a person has dismissed is left out.
    """
    for each in differences:
        if each.kind is not DifferenceKind.MISSING:
            yield each
            continue
        its = next(findings)
        if its.closed_why != Closing.DISMISSED:
            yield replace(each, missing_id=its.missing_id, since=its.since, deadline_at=its.deadline_at)


def compare_list(processes: list[ListedProcess], form: ListFormat, source: str | None, now: datetime) -> Comparison:
    """Return how processes of a list and the archives differ."""
    terms = ListTerms(now, cache(terms_of), form.timezone, timedelta(seconds=form.tolerance_s))
    numbers = {each.process_number for each in processes if each.process_number is not None}
    transactions = {each.transaction_number for each in processes if each.process_number is None} - {None}
    span = span_of(processes, terms)
    archived = tables.archived(numbers, {each for each in transactions if each}, span, source) if span else []
    compared = compare(processes, archived, tables.heard(numbers, source), terms)
    with reading() as session:
        if is_any(session):
            missing = [each for each in compared.differences if each.kind is DifferenceKind.MISSING]
            gone = erased(session, {each: _marks(each) for each in missing})
            compared = replace(compared, differences=[each for each in compared.differences if each not in gone])
    return compared


def _marks(missing: ListDifference) -> list[str]:
    """Return by what a tombstone knows a process. Raises Transient while their key is away."""
    try:
        return marks(missing.source or DEFAULT_SOURCE, None, missing.process_number, missing.transaction_number)
    except Locked:
        return []


def _counted(rows: Iterator[SheetRow], on_rows: OnRows) -> Iterator[SheetRow]:
    pending = 0
    for row in rows:
        yield row
        pending += 1
        if pending == _ROWS_AT_ONCE:
            on_rows(pending)
            pending = 0
    on_rows(pending)


def _finding(missing: ListDifference, now: datetime) -> ListedFinding:
    source = missing.source or DEFAULT_SOURCE
    return ListedFinding(
        missing_id=listed_id(source, missing.process_number, missing.transaction_number),
        source=source,
        process_number=missing.process_number,
        transaction_number=missing.transaction_number,
        since=missing.since or now,
        deadline_at=missing.deadline_at or now,
    )

"""Reads archives and findings of the processes in a list, and records the missing processes."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sql
from sqlalchemy import ColumnElement
from sqlmodel import Session, col, or_, select

from adapters.database.transactions import pages, reading, streamed, upsert
from adapters.tables.completeness.missing_processes import note_within
from models.archive.archive import ArchiveRow
from models.archive.session import SessionRow
from models.columns import table_of
from models.completeness.listed import ArchivedProcess, Heard, ListedFinding
from models.completeness.processes import MissingProcessRow, SessionEventRow, SessionEventType

Numbers = tuple[int | None, int | None]
"""Process number, and transaction number where there is no process number."""

_ARCHIVE, _SESSION = table_of(ArchiveRow).c, table_of(SessionRow).c
_ENDS = (SessionEventType.DELETED, SessionEventType.EXPIRED)


def archived(
    process_numbers: Collection[int],
    transaction_numbers: Collection[int],
    span: tuple[datetime, datetime],
    source: str | None,
) -> list[ArchivedProcess]:
    """Return the sessions of archives that have one of the numbers, or were created within a span of time.

    Args:
        source: None means all sources.
    """
    created_at, number = col(SessionRow.created_at), col(SessionRow.process_number)
    found: dict[tuple[str, int], ArchivedProcess] = {}
    with reading() as session:
        for page in pages(sorted(process_numbers)):
            found.update(_sessions(session, number.in_(page), source))
            found.update(_without_sessions(session, page, source))
        for page in pages(sorted(transaction_numbers)):
            found.update(_sessions(session, col(SessionRow.transaction_number).in_(page), source))
        found.update(_sessions(session, created_at.between(*span), source))
    return list(found.values())


def _sessions(
    session: Session, where: ColumnElement[bool], source: str | None
) -> Iterator[tuple[tuple[str, int], ArchivedProcess]]:
    process_number = sql.func.coalesce(_SESSION.process_number, _ARCHIVE.process_number)
    times = _SESSION.created_at, _ARCHIVE.received_at
    columns = _ARCHIVE.reference, _ARCHIVE.source, process_number, _SESSION.transaction_number, *times
    statement = sql.select(_SESSION.position, *columns).where(_ARCHIVE.reference == _SESSION.reference, where)
    if source is not None:
        statement = statement.where(_ARCHIVE.source == source)
    for position, *process in map(tuple, streamed(session, statement)):
        yield (process[0], position), ArchivedProcess(*process)


def _without_sessions(
    session: Session, process_numbers: Sequence[int], source: str | None
) -> Iterator[tuple[tuple[str, int], ArchivedProcess]]:
    """Yield archives that have arrived and whose sessions are not loaded, or state no number."""
    its_sessions = select(SessionRow.reference).where(
        SessionRow.reference == ArchiveRow.reference, col(SessionRow.process_number).is_not(None)
    )
    columns = _ARCHIVE.reference, _ARCHIVE.source, _ARCHIVE.process_number, _ARCHIVE.received_at
    statement = sql.select(*columns).where(_ARCHIVE.process_number.in_(process_numbers), ~its_sessions.exists())
    if source is not None:
        statement = statement.where(_ARCHIVE.source == source)
    for reference, its_source, number, received_at in map(tuple, streamed(session, statement)):
        yield (reference, -1), ArchivedProcess(reference, its_source, number, None, None, received_at)


def heard(process_numbers: Collection[int], source: str | None) -> dict[int, Heard]:
    """Return what session events say of processes, by number."""
    found: dict[int, Heard] = {}
    its = table_of(SessionEventRow).c
    columns = sql.select(its.process_number, its.type, its.event_at, its.received_at)
    with reading() as session:
        for page in pages(sorted(process_numbers)):
            statement = columns.where(its.process_number.in_(page))
            if source is not None:
                statement = statement.where(its.source == source)
            for number, kind, event_at, received_at in map(tuple, streamed(session, statement)):
                found[number] = _heard(found.get(number, Heard()), kind, min(event_at or received_at, received_at))
    return found


def _heard(known: Heard, kind: str, at: datetime) -> Heard:
    if kind == SessionEventType.FORM_SUBMITTED:
        return Heard(max(at, known.submitted_at or at), known.has_ended)
    return Heard(known.submitted_at, known.has_ended or kind in _ENDS)


def open_within(session: Session, findings: Iterable[ListedFinding], now: datetime) -> None:
    """Open findings with why `listed` in the caller's transaction."""
    rows = [{"opened_at": now} | asdict(each) for each in findings]
    if rows:
        session.connection().execute(upsert(session, MissingProcessRow).on_conflict_do_nothing(), rows)
        note_within(session, [each["missing_id"] for each in rows])


def known_findings(session: Session, missing: Sequence[ListedFinding]) -> list[list[ListedFinding]]:
    """Return, for each missing process, the findings that have one of its numbers, from all sources."""
    known = _known(session, missing)
    return [known[_numbers(each)] for each in missing]


def _numbers(finding: ListedFinding) -> Numbers:
    return finding.process_number, finding.transaction_number if finding.process_number is None else None


def _known(session: Session, page: Sequence[ListedFinding]) -> dict[Numbers, list[ListedFinding]]:
    known: dict[Numbers, list[ListedFinding]] = defaultdict(list)
    process, transaction = col(MissingProcessRow.process_number), col(MissingProcessRow.transaction_number)
    by_process = process.in_({each.process_number for each in page} - {None})
    by_transaction = transaction.in_({each.transaction_number for each in page if each.process_number is None})
    columns: Any = [getattr(MissingProcessRow, each.name) for each in fields(ListedFinding)]
    for row in streamed(session, select(*columns).where(or_(by_process, by_transaction))):
        each = ListedFinding(*tuple(row))
        known[each.process_number, None].append(each)
        if each.transaction_number is not None:
            known[None, each.transaction_number].append(each)
    return known

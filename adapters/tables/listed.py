"""Reads what is known of the processes of a list, and records those that are missing."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, or_, select

from adapters.database.transactions import pages, reading, streamed, upsert, writing
from models.archive.archive import ArchiveRow
from models.archive.session import SessionRow
from models.completeness.listed import ArchivedProcess, Heard, ListedFinding
from models.completeness.missing_process import Closing, MissingProcessRow, Why
from models.completeness.session_event import SessionEventRow, SessionEventType
from models.runs.receipt import DEFAULT_SOURCE

Numbers = tuple[int | None, int | None]
"""Process number, and transaction number where there is no process number."""

_ROWS_AT_ONCE = 1000
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

    Raises:
        Transient: the database does not answer.
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
    columns: tuple[Any, ...] = (
        SessionRow.reference,
        SessionRow.position,
        ArchiveRow.source,
        SessionRow.process_number,
        ArchiveRow.process_number,
        SessionRow.transaction_number,
        SessionRow.created_at,
        ArchiveRow.received_at,
    )
    statement = select(*columns).join(ArchiveRow, col(ArchiveRow.reference) == col(SessionRow.reference)).where(where)
    if source is not None:
        statement = statement.where(ArchiveRow.source == source)
    for reference, position, its_source, number, of_archive, transaction, created_at, received_at in map(
        tuple, streamed(session, statement)
    ):
        process_number = of_archive if number is None else number
        yield (
            (reference, position),
            ArchivedProcess(reference, its_source, process_number, transaction, created_at, received_at),
        )


def _without_sessions(
    session: Session, process_numbers: Sequence[int], source: str | None
) -> Iterator[tuple[tuple[str, int], ArchivedProcess]]:
    """Yield archives that have arrived and whose sessions are not loaded, or state no number."""
    its_sessions = select(SessionRow.reference).where(
        SessionRow.reference == ArchiveRow.reference, col(SessionRow.process_number).is_not(None)
    )
    columns: tuple[Any, ...] = (
        ArchiveRow.reference,
        ArchiveRow.source,
        ArchiveRow.process_number,
        ArchiveRow.received_at,
    )
    statement = select(*columns).where(col(ArchiveRow.process_number).in_(process_numbers), ~its_sessions.exists())
    if source is not None:
        statement = statement.where(ArchiveRow.source == source)
    for reference, its_source, number, received_at in map(tuple, streamed(session, statement)):
        yield (reference, -1), ArchivedProcess(reference, its_source, number, None, None, received_at)


def heard(process_numbers: Collection[int], source: str | None) -> dict[int, Heard]:
    """Return what session events say of processes, by number.

    Raises:
        Transient: the database does not answer.
    """
    found: dict[int, Heard] = {}
    columns: tuple[Any, ...] = (
        SessionEventRow.process_number,
        SessionEventRow.type,
        SessionEventRow.event_at,
        SessionEventRow.received_at,
    )
    with reading() as session:
        for page in pages(sorted(process_numbers)):
            statement = select(*columns).where(col(SessionEventRow.process_number).in_(page))
            if source is not None:
                statement = statement.where(SessionEventRow.source == source)
            for number, kind, event_at, received_at in map(tuple, streamed(session, statement)):
                found[number] = _heard(found.get(number, Heard()), kind, min(event_at or received_at, received_at))
    return found


def _heard(known: Heard, kind: str, at: datetime) -> Heard:
    if kind == SessionEventType.FORM_SUBMITTED:
        return Heard(max(at, known.submitted_at or at), known.has_ended)
    return Heard(known.submitted_at, known.has_ended or kind in _ENDS)


def record_missing(findings: Iterable[ListedFinding], now: datetime) -> None:
    """Record missing processes that `findings_of` does not know.

    Raises:
        Transient: the database does not answer.
    """
    with_time = ({"why": Why.LISTED.value, "opened_at": now} | asdict(each) for each in findings)
    for page in pages(with_time, _ROWS_AT_ONCE):
        with writing() as session:
            session.connection().execute(upsert(session, MissingProcessRow).on_conflict_do_nothing(), page)


def findings_of(missing: Iterable[ListedFinding]) -> dict[str, ListedFinding]:
    """Return the findings that missing processes have already, by the ids in `missing`.

    A process that its session events show to be missing has a finding under another id.

    Raises:
        Transient: the database does not answer.
    """
    found: dict[str, ListedFinding] = {}
    with reading() as session:
        for page in pages(missing, _ROWS_AT_ONCE):
            known = _known(session, page)
            for each in page:
                its = [one for one in known[_numbers(each)] if _is_of(one, each)]
                if its:
                    found[each.missing_id] = min(its, key=lambda one: (one.closed_why is not None, one.missing_id))
    return found


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


def _is_of(known: ListedFinding, missing: ListedFinding) -> bool:
    """Return whether a finding is that of a missing process, or of the same process and open or dismissed."""
    if known.missing_id == missing.missing_id:
        return True
    is_same = missing.source in (known.source, DEFAULT_SOURCE)
    transactions = {known.transaction_number, missing.transaction_number} - {None}
    return known.closed_why in (None, Closing.DISMISSED) and is_same and len(transactions) < 2


def open_listed() -> list[MissingProcessRow]:
    """Return the open findings of processes that only a list names."""
    with reading() as session:
        is_open = (MissingProcessRow.why == Why.LISTED, col(MissingProcessRow.closed_at).is_(None))
        return list(session.exec(select(MissingProcessRow).where(*is_open)))


def close_archived(missing_ids: Iterable[str], now: datetime) -> None:
    """Close findings whose archive has arrived."""
    with writing() as session:
        for missing_id in missing_ids:
            row = session.get_one(MissingProcessRow, missing_id)
            if row.closed_at is None:
                row.closed_at, row.closed_why = now, Closing.ARCHIVED

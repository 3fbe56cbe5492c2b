"""Reads what is known of processes that may be missing: session events, arrivals and findings."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy
from sqlmodel import Session, SQLModel, col, exists, or_, select, update

from adapters.database.transactions import reading, writing
from domain.completeness.missing import ArchivedSession, Arrival
from models.archive.archive import ArchiveRow, State
from models.archive.session import SessionRow
from models.completeness.missing_process import MissingProcessRow
from models.completeness.session_event import SessionEventRow
from models.runs.receipt import DeliveryRow, ReceiptRow, VersionRow

Row = TypeVar("Row", SessionEventRow, MissingProcessRow)
_NAMES = ("reference", "process_number")
_Place = tuple[str, str]
"""Source and reference."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of some processes. `arrivals` are by source and reference, `references` by source and number."""

    events: Sequence[SessionEventRow]
    findings: Sequence[MissingProcessRow]
    arrivals: Mapping[_Place, Sequence[Arrival]]
    references: Mapping[tuple[str, int], Collection[str]]


def due(now: datetime, limit: int) -> tuple[set[str], set[int]]:
    """Return references, and process numbers without a reference, whose events are due for a decision."""
    reference, number = col(SessionEventRow.reference), col(SessionEventRow.process_number)
    # One query: two would each read all that is due for the other.
    wanted = sqlalchemy.select(reference, sqlalchemy.case((reference.is_(None), number)))
    with reading() as session:
        found = session.connection().execute(
            wanted.where(col(SessionEventRow.decide_at) <= now).distinct().limit(limit)
        )
        pairs = found.all()
    return {each for each, _ in pairs if each is not None}, {each for _, each in pairs if each is not None}


def answer_nameless(now: datetime) -> None:
    """Settle the due events that name no process: nothing can be found for them."""
    nameless = (col(SessionEventRow.reference).is_(None), col(SessionEventRow.process_number).is_(None))
    due_ones = update(SessionEventRow).where(col(SessionEventRow.decide_at) <= now, *nameless)
    with writing() as session:
        session.execute(due_ones.values(decide_at=None, is_answered=True))


def open_with_arrivals() -> tuple[list[str], list[int]]:
    """Return references, and process numbers without a reference, of open findings for which something has arrived."""
    is_open = col(MissingProcessRow.closed_at).is_(None)
    arrived = exists().where(
        col(DeliveryRow.reference) == col(MissingProcessRow.reference),
        col(DeliveryRow.source) == col(MissingProcessRow.source),
    )
    number = col(MissingProcessRow.process_number)
    known = or_(
        exists().where(col(ArchiveRow.process_number) == number),
        exists().where(col(SessionRow.process_number) == number),
    )
    with reading() as session:
        references = session.exec(select(MissingProcessRow.reference).where(is_open, arrived).distinct()).all()
        nameless = (is_open, col(MissingProcessRow.reference).is_(None), number.is_not(None), known)
        numbers = session.exec(select(number).where(*nameless).distinct()).all()
    return [each for each in references if each is not None], [each for each in numbers if each is not None]


def read(session: Session, references: Collection[str], numbers: Collection[int]) -> Evidence:
    """Return what is known of the processes with these references, and of those without one with these numbers."""
    events = _rows(session, SessionEventRow, references, numbers)
    said = {each.process_number for each in events} - {None}
    findings = _rows(session, MissingProcessRow, references, {*numbers, *said})
    nameless = {each.process_number for each in findings if each.reference is None} - {None}
    by_number = _references_of(session, {*numbers, *nameless})
    all_references = {*references, *(each for found in by_number.values() for each in found)}
    return Evidence(events, findings, _arrivals(session, all_references), by_number)


def _rows(
    session: Session, table: type[Row], references: Collection[str], numbers: Collection[int | None]
) -> Sequence[Row]:
    """Return the rows with these references, and those of no reference with these process numbers."""
    reference, number = (SQLModel.metadata.tables[str(table.__tablename__)].c[each] for each in _NAMES)
    found: list[Row] = []
    if references:
        found += session.exec(select(table).where(reference.in_(references)))
    if numbers:
        found += session.exec(select(table).where(reference.is_(None), number.in_(numbers)))
    return found


def _references_of(session: Session, numbers: Collection[int | None]) -> dict[tuple[str, int], set[str]]:
    """Return the references of the archives with these process numbers, by source and number."""
    if not numbers:
        return {}
    number: Any = col(ArchiveRow.process_number)
    of_archives = sqlalchemy.select(col(ArchiveRow.source), number, col(ArchiveRow.reference)).where(
        number.in_(numbers)
    )
    number = col(SessionRow.process_number)
    of_sessions = (
        sqlalchemy.select(col(ArchiveRow.source), number, col(ArchiveRow.reference))
        .join(SessionRow, col(SessionRow.reference) == col(ArchiveRow.reference))
        .where(number.in_(numbers))
    )
    found: dict[tuple[str, int], set[str]] = defaultdict(set)
    for source, its_number, reference in session.connection().execute(sqlalchemy.union(of_archives, of_sessions)):
        found[source, its_number].add(reference)
    return found


_ARRIVED: Any = (
    sqlalchemy.select(
        col(DeliveryRow.source),
        col(DeliveryRow.reference),
        col(DeliveryRow.received_at),
        col(ReceiptRow.state),
        col(ReceiptRow.receipt_id),
        col(VersionRow.event_at),
        col(VersionRow.received_at).label("first_at"),
        col(ArchiveRow.current_receipt_id),
    )
    .join(ReceiptRow, col(ReceiptRow.receipt_id) == col(DeliveryRow.receipt_id))
    .join(ArchiveRow, col(ArchiveRow.reference) == col(DeliveryRow.reference), isouter=True)
    .join(VersionRow, col(VersionRow.receipt_id) == col(DeliveryRow.receipt_id), isouter=True)
)


def _arrivals(session: Session, references: Collection[str]) -> dict[_Place, list[Arrival]]:
    """Return what has arrived. A receipt that said nothing new has no version: the version it repeats has its time."""
    found: dict[_Place, list[Arrival]] = defaultdict(list)
    if not references:
        return found
    sessions = _sessions(session, references)
    for row in session.connection().execute(_ARRIVED.where(col(DeliveryRow.reference).in_(references))):
        source, reference, received_at, state, receipt_id, event_at, first_at, current = row
        if first_at is not None:
            listed = tuple(sessions[reference]) if receipt_id == current else None
            found[source, reference].append(Arrival(event_at or first_at, first_at, True, listed))
        elif state != State.COMPLETED:
            found[source, reference].append(Arrival(received_at, received_at, is_read=False))
    return found


def _sessions(session: Session, references: Collection[str]) -> dict[str, list[ArchivedSession]]:
    found: dict[str, list[ArchivedSession]] = defaultdict(list)
    told = (SessionRow.id, SessionRow.process_number, SessionRow.transaction_number)
    columns = sqlalchemy.select(col(SessionRow.reference), *map(col, told))
    for reference, *its in session.connection().execute(columns.where(col(SessionRow.reference).in_(references))):
        found[reference].append(ArchivedSession(*its))
    return found

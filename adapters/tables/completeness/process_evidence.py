"""Reads what is known of processes that may be missing: session events, arrivals and findings."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any, TypeVar

import sqlalchemy
from sqlmodel import Session, col, exists, or_, select, update

from adapters.database.transactions import reading, writing
from domain.completeness.missing import ArchivedSession, Arrival
from domain.completeness.processes import Numbered, ProcessId, arrivals_by_number, numbered
from models.archive.archive import ArchiveRow, State
from models.archive.session import SessionRow
from models.columns import table_of
from models.completeness.processes import MissingProcessRow, SessionEventRow
from models.runs.receipt import DeliveryRow, ReceiptRow, VersionRow

Row = TypeVar("Row", SessionEventRow, MissingProcessRow)
_NAMES = ("reference", "process_number")
Place = tuple[str, str]
"""Source and reference."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of some processes. `arrivals` are by source and reference, `places` by number."""

    events: Sequence[SessionEventRow]
    findings: Sequence[MissingProcessRow]
    arrivals: Mapping[Place, Sequence[Arrival]]
    places: Mapping[Numbered, Collection[Place]]

    def arrivals_of(self, process: ProcessId, *, of_any_source: bool = False) -> Sequence[Arrival]:
        """Return what has arrived for a process: by its reference, or without one by its number."""
        if process.reference is not None:
            return self.arrivals.get((process.source, process.reference), ())
        places = sorted(self.places.get(numbered(process), ()))
        theirs = (each for each in places if of_any_source or each[0] == process.source)
        return arrivals_by_number(chain.from_iterable(self.arrivals.get(each, ()) for each in theirs), process)


@dataclass(frozen=True, slots=True)
class Names:
    """Names of processes: references; without one, process numbers; without both, transaction numbers."""

    references: Collection[str]
    process_numbers: Collection[int]
    transaction_numbers: Collection[int] = ()


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


def open_with_arrivals() -> Names:
    """Return the names of open findings for which something has arrived."""
    is_open = col(MissingProcessRow.closed_at).is_(None)
    arrived = exists().where(
        col(DeliveryRow.reference) == col(MissingProcessRow.reference),
        col(DeliveryRow.source) == col(MissingProcessRow.source),
    )
    number, transaction = col(MissingProcessRow.process_number), col(MissingProcessRow.transaction_number)
    by_number = or_(
        exists().where(col(ArchiveRow.process_number) == number),
        exists().where(col(SessionRow.process_number) == number),
    )
    by_transaction = exists().where(col(SessionRow.transaction_number) == transaction)
    nameless = (is_open, col(MissingProcessRow.reference).is_(None))
    with reading() as session:
        references = session.exec(select(MissingProcessRow.reference).where(is_open, arrived).distinct())
        numbers = session.exec(select(number).where(*nameless, number.is_not(None), by_number).distinct())
        only = (number.is_(None), transaction.is_not(None), by_transaction)
        transactions = session.exec(select(transaction).where(*nameless, *only).distinct())
        return Names(
            [each for each in references if each is not None],
            [each for each in numbers if each is not None],
            [each for each in transactions if each is not None],
        )


def read(session: Session, names: Names) -> Evidence:
    """Return what is known of processes."""
    events = _rows(session, SessionEventRow, names.references, names.process_numbers)
    numbers = {*names.process_numbers, *(each.process_number for each in events)} - {None}
    transactions = {*names.transaction_numbers, *(each.transaction_number for each in events)} - {None}
    findings = [*_rows(session, MissingProcessRow, names.references, numbers), *_by_transaction(session, transactions)]
    nameless = [each for each in findings if each.reference is None]
    places = _places(
        session,
        {*names.process_numbers, *(each.process_number for each in nameless)} - {None},
        {each.transaction_number for each in nameless if each.process_number is None} - {None},
    )
    references = {*names.references, *(reference for found in places.values() for _, reference in found)}
    return Evidence(events, findings, _arrivals(session, references), places)


def _rows(
    session: Session, table: type[Row], references: Collection[str], numbers: Collection[int | None]
) -> Sequence[Row]:
    """Return the rows with these references, and those of no reference with these process numbers."""
    reference, number = (table_of(table).c[each] for each in _NAMES)
    found: list[Row] = []
    if references:
        found += session.exec(select(table).where(reference.in_(references)))
    if numbers:
        found += session.exec(select(table).where(reference.is_(None), number.in_(numbers)))
    return found


def _by_transaction(session: Session, transactions: Collection[int | None]) -> Sequence[MissingProcessRow]:
    """Return the findings with these transaction numbers that have neither reference nor process number."""
    if not transactions:
        return []
    nameless = (col(MissingProcessRow.reference).is_(None), col(MissingProcessRow.process_number).is_(None))
    theirs = col(MissingProcessRow.transaction_number).in_(transactions)
    return session.exec(select(MissingProcessRow).where(*nameless, theirs)).all()


def _places(
    session: Session, process_numbers: Collection[int | None], transaction_numbers: Collection[int | None]
) -> dict[Numbered, set[Place]]:
    """Return source and reference of the archives with these numbers, by number."""
    found: dict[Numbered, set[Place]] = defaultdict(set)
    archive, its_session = ArchiveRow, SessionRow
    wanted: list[tuple[str, Any, Collection[int | None]]] = [
        ("process_number", archive.process_number, process_numbers),
        ("process_number", its_session.process_number, process_numbers),
        ("transaction_number", its_session.transaction_number, transaction_numbers),
    ]
    for name, column, numbers in wanted:
        if not numbers:
            continue
        query = sqlalchemy.select(col(archive.source), col(archive.reference), column).where(col(column).in_(numbers))
        if column is not archive.process_number:
            query = query.join(its_session, col(its_session.reference) == col(archive.reference))
        for source, reference, number in session.connection().execute(query.distinct()):
            found[name, number].add((source, reference))
    return found


_ARRIVED: Any = (
    sqlalchemy.select(
        col(DeliveryRow.source),
        col(DeliveryRow.reference),
        col(DeliveryRow.received_at),
        col(ReceiptRow.state),
        col(ReceiptRow.receipt_id),
        sqlalchemy.case((col(VersionRow.is_from_future), None), else_=col(VersionRow.event_at)).label("event_at"),
        col(VersionRow.received_at).label("first_at"),
        col(ArchiveRow.current_receipt_id),
    )
    .join(ReceiptRow, col(ReceiptRow.receipt_id) == col(DeliveryRow.receipt_id))
    .join(ArchiveRow, col(ArchiveRow.reference) == col(DeliveryRow.reference), isouter=True)
    .join(VersionRow, col(VersionRow.receipt_id) == col(DeliveryRow.receipt_id), isouter=True)
)


def _arrivals(session: Session, references: Collection[str]) -> dict[Place, list[Arrival]]:
    """Return what has arrived. A receipt that said nothing new has no version: the version it repeats has its time."""
    found: dict[Place, list[Arrival]] = defaultdict(list)
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

"""Writes archives into the database."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlmodel import Session, SQLModel, col, delete, func, select, update

from adapters.database import insert_rows, reading, writing
from models.archive import ArchiveRow
from models.finding import DiscrepancyRow, WarningRow
from models.receipt import DeliveryRow, Outcome, VersionRow

_REFERENCES_PER_PAGE = 10_000

Rows = Mapping[type[SQLModel], Sequence[Mapping[str, Any]]]


def load(
    version: VersionRow,
    described: dict[str, Any],
    rows: Rows,
    replaces: Callable[[VersionRow, VersionRow], bool],
) -> None:
    """Put a receipt on record as a version and, unless a newer one has them, its rows as the archive's.

    `described` are the archive's own columns that come from the payload. `replaces(candidate, current)` decides whose
    rows stand. One transaction: a reader sees the old rows or the new ones.
    """
    with writing() as session:
        archive = session.get_one(ArchiveRow, version.reference, with_for_update=True)
        if session.get(VersionRow, version.receipt_id) is None:
            session.add(version)
        current = session.get(VersionRow, archive.current_receipt_id or "")
        if current is None or current.receipt_id == version.receipt_id or replaces(version, current):
            _replace(session, version.reference, rows)
            archive.sqlmodel_update(described | {"current_receipt_id": version.receipt_id})


def repeat(reference: str, receipt_id: str, number: int, made_at: datetime) -> None:
    """Put on record that a receipt says what a version says: its deliveries are duplicates, and the version is no older
    than it.
    """
    with writing() as session:
        session.get_one(ArchiveRow, reference, with_for_update=True)
        wanted = select(VersionRow).where(VersionRow.reference == reference, VersionRow.version == number)
        version = session.exec(wanted).one()
        version.event_at = max(version.event_at or version.received_at, made_at)
        changed = (col(DeliveryRow.receipt_id) == receipt_id, col(DeliveryRow.outcome) == Outcome.CHANGED)
        session.execute(update(DeliveryRow).where(*changed).values(outcome=Outcome.DUPLICATE))


def replace_rows(reference: str, receipt_id: str, rows: Rows) -> bool:
    """Replace the rows of the given tables if the receipt is the current one, and return whether it is."""
    with writing() as session:
        if session.get_one(ArchiveRow, reference).current_receipt_id != receipt_id:
            return False
        _replace(session, reference, rows)
        return True


def row_counts(reference: str, tables: Sequence[type[SQLModel]]) -> dict[type[SQLModel], int]:
    with reading() as session:
        return {
            table: session.exec(select(func.count()).select_from(table).where(_reference(table) == reference)).one()
            for table in tables
        }


def needs_attention(reference: str) -> bool:
    """Whether the archive has warnings or discrepancies."""
    return any(row_counts(reference, [WarningRow, DiscrepancyRow]).values())


def references() -> Iterator[str]:
    """The processes that have a version, in pages: there may be millions."""
    last = ""
    while True:
        with reading() as session:
            more = select(VersionRow.reference).distinct().where(col(VersionRow.reference) > last)
            page = session.exec(more.order_by(VersionRow.reference).limit(_REFERENCES_PER_PAGE)).all()
        yield from page
        if len(page) < _REFERENCES_PER_PAGE:
            return
        last = page[-1]


def get_version(receipt_id: str) -> VersionRow:
    with reading() as session:
        return session.get_one(VersionRow, receipt_id)


def _replace(session: Session, reference: str, rows: Rows) -> None:
    for table, its_rows in rows.items():
        session.execute(delete(table).where(_reference(table) == reference))
        insert_rows(session, table, its_rows)


def _reference(table: type[SQLModel]) -> Any:
    return SQLModel.metadata.tables[str(table.__tablename__)].c.reference

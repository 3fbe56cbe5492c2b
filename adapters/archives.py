"""Writes archives into the database."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlmodel import Session, SQLModel, delete, func, select

from adapters.database import insert_rows, reading, writing
from models.archive import ArchiveRow
from models.finding import DiscrepancyRow, WarningRow
from models.receipt import VersionRow

Rows = Mapping[type[SQLModel], Sequence[Mapping[str, Any]]]


def load(
    version: VersionRow,
    described: dict[str, Any],
    rows: Rows,
    replaces: Callable[[VersionRow, VersionRow], bool],
) -> int:
    """Put a receipt on record as a version and, unless a newer one has them, its rows as the archive's.

    `version.version` is given here, in the order of archiving, once. `described` are the archive's own columns that
    come from the payload. `replaces(candidate, current)` decides whose rows stand. Returns the version's number. One
    transaction: a reader sees the old rows or the new ones.
    """
    with writing() as session:
        archive = session.get_one(ArchiveRow, version.reference, with_for_update=True)
        number = _numbered(session, version)
        current = session.get(VersionRow, archive.current_receipt_id or "")
        if current is None or current.receipt_id == version.receipt_id or replaces(version, current):
            _replace(session, version.reference, rows)
            archive.sqlmodel_update(described | {"current_receipt_id": version.receipt_id})
        return number


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


def get_version(receipt_id: str) -> VersionRow:
    with reading() as session:
        return session.get_one(VersionRow, receipt_id)


def _numbered(session: Session, version: VersionRow) -> int:
    known = session.get(VersionRow, version.receipt_id)
    if known is None:
        highest = select(func.max(VersionRow.version)).where(VersionRow.reference == version.reference)
        version.version = 1 + (session.exec(highest).one() or 0)
        session.add(version)
        return version.version
    return known.version


def _replace(session: Session, reference: str, rows: Rows) -> None:
    for table, its_rows in rows.items():
        session.execute(delete(table).where(_reference(table) == reference))
        insert_rows(session, table, its_rows)


def _reference(table: type[SQLModel]) -> Any:
    return SQLModel.metadata.tables[str(table.__tablename__)].c.reference

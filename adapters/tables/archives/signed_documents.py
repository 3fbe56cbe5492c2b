"""Reads and replaces the rows that follow from the verdicts on signed documents."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement
from sqlmodel import SQLModel, col, delete, func, or_, select

from adapters.database.transactions import insert_rows, reading, writing
from adapters.search import entries
from domain.search.facets import judged_facets
from models.archive.archive import ArchiveRow, State
from models.archive.signed_document import SignedDocumentRow

Rows = Mapping[type[SQLModel], Sequence[Mapping[str, Any]]]


def judged_by_other_roots(roots: str, most: int) -> list[str]:
    """Return complete archives whose signed document was judged last with other trust roots than `roots`.

    They are drawn at random, so archives that cannot be judged block no other archive.
    """
    due = select(SignedDocumentRow.reference).join(ArchiveRow, _same_archive()).where(*_is_due(roots))
    with reading() as session:
        return list(session.exec(due.order_by(func.random()).limit(most)).all())


def count_judged_by_other_roots(roots: str) -> int:
    """Return the number of archives that `judged_by_other_roots` draws from."""
    with reading() as session:
        counted = select(func.count()).select_from(SignedDocumentRow).join(ArchiveRow, _same_archive())
        return session.exec(counted.where(*_is_due(roots))).one()


def shows_other_roots(reference: str, receipt_id: str, roots: str) -> bool:
    """Return whether a receipt is the current version, and its row shows a judgement with other trust roots."""
    its = (SignedDocumentRow.reference == reference, ArchiveRow.current_receipt_id == receipt_id)
    shown = select(SignedDocumentRow.reference).join(ArchiveRow, _same_archive()).where(*its, _other_roots(roots))
    with reading() as session:
        return session.exec(shown).first() is not None


def replace_if_current(reference: str, receipt_id: str, rows: Rows) -> bool:
    """Replace rows of an archive in one transaction, if they are of its current version. Return whether they were."""
    with writing() as session:
        archive = session.get(ArchiveRow, reference, with_for_update=True)
        if archive is None or archive.current_receipt_id != receipt_id:
            return False
        for table, its_rows in rows.items():
            columns = SQLModel.metadata.tables[str(table.__tablename__)].c
            session.connection().execute(delete(table).where(columns.reference == reference))
            insert_rows(session, table, its_rows)
        entries.set_facets(session, reference, judged_facets(rows))
    return True


def _same_archive() -> ColumnElement[bool]:
    return col(ArchiveRow.reference) == col(SignedDocumentRow.reference)


def _is_due(roots: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return _other_roots(roots), col(ArchiveRow.state) == State.COMPLETED


def _other_roots(roots: str) -> ColumnElement[bool]:
    last = col(SignedDocumentRow.roots)
    return or_(last.is_(None), last != roots)

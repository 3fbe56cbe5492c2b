"""Notes rows in the transaction that writes them, until the store has them (`adapters/store/happened.py`)."""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, select
from sqlmodel import Session, SQLModel, col

from adapters.database.transactions import insert_rows, reading, writing
from models.columns import table_of
from models.store.happened import NotedRow


def note(session: Session, table: type[SQLModel], *which: ColumnElement[bool]) -> None:
    """Note the rows of a table that meet conditions as they are now, in the caller's transaction."""
    session.flush()
    rows = select(table_of(table)).where(*which)
    note_rows(session, table, [dict(each) for each in session.connection().execute(rows).mappings()])


def note_rows(session: Session, table: type[SQLModel], rows: Iterable[Mapping[str, Any]]) -> None:
    """Note rows of a table that were just written, in the caller's transaction."""
    about = {"at": datetime.now(UTC), "of": str(table.__tablename__)}
    insert_rows(session, NotedRow, ({"id": secrets.token_hex(16), **about, "row": as_json(row)} for row in rows))


def as_json(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as JSON has it, with times as text."""
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in row.items()}


def noted(which: ColumnElement[bool], most: int | None = None) -> Sequence[NotedRow]:
    """Return what was noted and is not in the store yet, in order."""
    with reading() as session:
        return session.scalars(select(NotedRow).where(which).order_by(col(NotedRow.at)).limit(most)).all()


def forget(rows: Iterable[NotedRow]) -> int:
    """Forget notes that are in the store, and return how many were there still."""
    with writing() as session:
        its = col(NotedRow.id).in_([each.id for each in rows])
        return session.connection().execute(delete(NotedRow).where(its)).rowcount

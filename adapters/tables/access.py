"""Rows of the access log."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import tuple_
from sqlmodel import col, delete, select

from adapters.database.noted import note_rows
from adapters.database.transactions import insert_rows, reading, writing
from adapters.settings.settings import settings
from models.access import AccessRow, UnsentAccessRow
from models.columns import table_of

_AT_ONCE = 2000
_OF_UNSENT = ("chain", "number", "at")
_row_key = tuple_(col(AccessRow.chain), col(AccessRow.number))


def add(rows: Sequence[Mapping[str, Any]]) -> None:
    """Add rows in one commit, and note that they are to be sent if they are. Raises Transient if that fails."""
    with writing() as session:
        insert_rows(session, AccessRow, rows)
        note_rows(session, AccessRow, rows)
        if settings().access_log_url:
            insert_rows(session, UnsentAccessRow, [{name: row[name] for name in _OF_UNSENT} for row in rows])


def unsent(most: int) -> list[AccessRow]:
    """Return rows that are still to be sent, in the order of their times."""
    with reading() as session:  # the keys first: a join might read the whole log
        keys = session.exec(select(UnsentAccessRow.chain, UnsentAccessRow.number).limit(most)).all()
        return (
            list(session.exec(select(AccessRow).where(_row_key.in_(keys)).order_by(col(AccessRow.at)))) if keys else []
        )


def sent(rows: Iterable[AccessRow]) -> None:
    """Note that rows were sent."""
    key = tuple_(col(UnsentAccessRow.chain), col(UnsentAccessRow.number))
    with writing() as session:
        session.execute(delete(UnsentAccessRow).where(key.in_([(row.chain, row.number) for row in rows])))


def every() -> Iterator[Mapping[str, Any]]:
    """Yield all rows by chain and number. No transaction stays open between its pages."""
    query = select(*table_of(AccessRow).c).order_by(col(AccessRow.chain), col(AccessRow.number)).limit(_AT_ONCE)
    page = _mappings(query)
    while page:
        yield from page
        page = _mappings(query.where(_row_key > (page[-1]["chain"], page[-1]["number"])))


def _mappings(query: Any) -> list[Mapping[str, Any]]:
    with reading() as session:
        return [dict(each) for each in session.connection().execute(query).mappings()]


def remove_until(last: Mapping[str, int]) -> None:
    """Remove the rows of chains up to a number of each, also from what is to be sent."""
    for chain, number in last.items():
        with writing() as session:
            for table in (UnsentAccessRow, AccessRow):
                session.execute(delete(table).where(col(table.chain) == chain, col(table.number) <= number))

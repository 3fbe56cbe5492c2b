"""Rows of the access log."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, true, tuple_
from sqlmodel import and_, col, delete, select

from adapters.database.noted import note_rows
from adapters.database.transactions import insert_rows, reading, writing
from adapters.settings.settings import settings
from models.access import AccessHead, AccessRow, UnsentAccessRow
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


def heads(since: datetime | None = None) -> list[AccessHead]:
    """Return the last row of each chain that has a row since a time."""
    if since is None:
        return _last(true())
    return _last(col(AccessRow.chain).in_(select(AccessRow.chain).where(col(AccessRow.at) >= since)))


def heads_before(at: datetime) -> list[AccessHead]:
    """Return the last row of each chain that is older than a time."""
    return _last(col(AccessRow.at) < at)


def _last(condition: ColumnElement[bool]) -> list[AccessHead]:
    number = func.max(AccessRow.number).label("last")
    last = select(AccessRow.chain, number).where(condition).group_by(col(AccessRow.chain)).subquery()
    joined = and_(last.c.chain == col(AccessRow.chain), last.c.last == col(AccessRow.number))
    query = select(AccessRow.chain, AccessRow.number, AccessRow.at, AccessRow.digest).join(last, joined)
    with reading() as session:
        return [AccessHead(*row) for row in session.connection().execute(query)]


def remove_until(heads: Iterable[AccessHead]) -> None:
    """Remove the rows of chains up to heads, also from what is to be sent."""
    for each in heads:
        with writing() as session:
            for table in (UnsentAccessRow, AccessRow):
                of_chain = col(table.chain) == each.chain, col(table.number) <= each.number
                session.execute(delete(table).where(*of_chain))

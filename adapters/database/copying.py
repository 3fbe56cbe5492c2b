"""Copies the rows of all tables from one database into another, of the same or of the other kind, and compares them."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, Engine, LargeBinary, Table, Text, bindparam, cast, func, inspect, select, type_coerce
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel

import models.every_table  # noqa: F401
from adapters.database.transactions import json_text, translated
from models.errors import Conflict, System, Transient
from models.search import TEXT_INDEX

_ROWS_AT_ONCE = 1000
_LARGE_ROWS_AT_ONCE = 10  # a skeleton has up to 16 MiB
_LEFT_BEHIND = {"change", "lease", "login", "wrong_tokens"}
"""Tables about processes of the old installation, which have ended; about who is signed in there or tries to; and
changes, whose positions are those of one database.
"""
_OF_ALEMBIC = "alembic_version"
_BITS, _LEAST_INEXACT = 256, 1 << 63


def tables() -> list[Table]:
    """Return the tables that move with an installation, by name."""
    known = SQLModel.metadata.tables
    return [known[name] for name in sorted(known) if name not in _LEFT_BEHIND]


def counts(of: Engine) -> dict[str, int]:
    """Return the number of rows of each table that moves and that the database has.

    Raises:
        Conflict: it has tables of something else.
        Transient: it does not answer.
    """
    with _of_the_other(), of.connect().execution_options(cellar_reading=True) as connection:
        there = set(inspect(connection).get_table_names())
        if unknown := there - {*SQLModel.metadata.tables, *TEXT_INDEX, _OF_ALEMBIC}:
            raise Conflict(f"the database has tables that cellar does not know: {', '.join(sorted(unknown))}")
        return {
            each.name: connection.execute(select(func.count()).select_from(each)).scalar_one()
            for each in tables()
            if each.name in there
        }


def copy_rows(source: Engine, target: Engine, on_rows: Callable[[int], None]) -> dict[str, int]:
    """Copy the rows of all tables, compare each table, and return the number of rows by table.

    Nothing in the target is removed or replaced. A row that an earlier, killed copy has brought is skipped. So a second
    run completes the first, and rows of anybody else are found by the comparison.

    Args:
        source: a database that nobody writes to.
        target: a database with the same schema.
        on_rows: called with the number of rows that were read, once while they are copied and once for the comparison.

    Raises:
        Conflict: the target has other rows than the source.
    """
    copied = {}
    for table in tables():
        _copy_table(source, target, table, on_rows)
        expected, found = _tally(source, table, on_rows), _tally(target, table, lambda _: None)
        if expected != found:
            raise Conflict(
                f"table {table.name}: expected the {expected[0]:,} rows of the old database, got {found[0]:,} rows, or "
                "other values; somebody else has written there. Give the move an empty database"
            )
        copied[table.name] = expected[0]
    return copied


def _copy_table(source: Engine, target: Engine, table: Table, on_rows: Callable[[int], None]) -> None:
    statement = _insert(target, table)
    for page in _pages(source, table):
        with translated(), target.begin() as connection:
            connection.execute(statement, [dict(row._mapping) for row in page])
        on_rows(len(page))


def _insert(target: Engine, table: Table) -> Any:
    """Return an INSERT that takes JSON as text, so that a missing value and the JSON `null` stay distinct."""
    is_postgres = target.dialect.name == "postgresql"
    given: dict[str, Any] = {}
    for column in table.columns:
        if isinstance(column.type, JSON):
            text = bindparam(column.name, type_=Text())
            given[column.name] = cast(text, postgresql.JSONB) if is_postgres else type_coerce(text, Text())
        else:
            given[column.name] = bindparam(column.name, type_=column.type)
    made = postgresql.insert(table) if is_postgres else sqlite.insert(table)
    return made.values(given).on_conflict_do_nothing()


def _pages(source: Engine, table: Table) -> Iterator[Any]:
    is_large = any(isinstance(each.type, LargeBinary) for each in table.columns)
    options: dict[str, Any] = {"yield_per": _LARGE_ROWS_AT_ONCE if is_large else _ROWS_AT_ONCE}
    with _of_the_other(), source.connect().execution_options(cellar_reading=True, **options) as read:
        yield from read.execute(_select(table, source.dialect.name)).partitions()


def _select(table: Table, dialect: str) -> Any:
    """Return a SELECT that reads JSON as text."""
    read = (
        json_text(each, dialect).label(each.name) if isinstance(each.type, JSON) else each for each in table.columns
    )
    return select(*read)


def _tally(of: Engine, table: Table, on_rows: Callable[[int], None]) -> tuple[int, int]:
    """Return the number of rows and the sum of their digests, which does not depend on their order."""
    names = [each.name for each in table.columns if isinstance(each.type, JSON)]
    count, total = 0, 0
    for page in _pages(of, table):
        for row in page:
            count += 1
            values = dict(row._mapping)
            text = json.dumps(values | {name: _parsed(values[name]) for name in names}, default=str, sort_keys=True)
            total = (total + int.from_bytes(hashlib.sha256(text.encode()).digest())) % (1 << _BITS)
        on_rows(len(page))
    return count, total


def _parsed(text: str | None) -> Any:
    """Return a JSON value in a form that is the same for both databases, which write numbers differently."""
    return "none" if text is None else [json.loads(text, parse_float=_number, parse_int=_number)]


def _number(text: str) -> str:
    """Return a number as SQLite has it: an integer of 64 bits, else of 17 digits."""
    number = Decimal(text)
    is_whole = abs(number) < _LEAST_INEXACT and number == number.to_integral_value()
    return f"number {int(number) if is_whole else float(number)}"


@contextmanager
def _of_the_other() -> Iterator[None]:
    """Translate errors of a database that the settings do not name."""
    try:
        yield
    except DBAPIError as error:
        reason = type(error.orig).__name__
        raise Transient(f"a database of the move does not answer: {reason}", system=System.DATABASE) from error

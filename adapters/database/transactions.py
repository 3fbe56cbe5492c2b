"""Transactions on the metadata database, and what is asked and written in them.

Queries are written in one way: table rows by `session.exec(select(Row))`, or by `read_all` and the functions beside it
where a transaction has one query; changes by `session.execute(update(Row))`, plain tuples, without the ORM, by
`session.connection().execute`.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from itertools import islice
from typing import Any, TypeVar, TypeVarTuple, overload

from sqlalchemy import ColumnElement, Engine, Executable, Row, Text, case, cast, exc, func, inspect, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.attributes import set_committed_value
from sqlmodel import Session, SQLModel
from sqlmodel.sql.expression import Select, SelectOfScalar

from adapters.database import pipeline
from adapters.database.connections import engine
from adapters.database.outages import no_database, other_tables, unanswered
from models.columns import table_of
from models.errors import System, Transient, Unusable
from models.said import Sentence

Item = TypeVar("Item")
Columns = TypeVarTuple("Columns")
Found = TypeVar("Found", bound=SQLModel)

_VALUES_PER_QUERY = 10_000  # Postgres takes 65,535 parameters, SQLite 32,766
_ROWS_AT_ONCE = 1000
_DENIED, _NO_TABLE, _NO_COLUMN = "42501", "42P01", "42703"
"""Postgres' codes of errors. Its driver is imported where it connects: it is slow to import, and SQLite needs none."""
_OPEN = threading.local()
"""The session of the `one_moment` that a thread is in."""
_with_options = lru_cache(maxsize=8)(Engine.execution_options)  # making one takes as long as a query


@contextmanager
def writing() -> Iterator[Session]:
    """Yield a transaction that may write, `pipelined` on Postgres. It is committed at the end, rolled back by an error.

    Raises:
        Transient: the database does not answer, or stayed locked.
        Unusable: it has other tables than expected, or forbids them.
    """
    is_postgres = engine().dialect.name == "postgresql"
    database = _with_options(engine(), isolation_level="AUTOCOMMIT") if is_postgres else engine()
    way = pipeline.pipelined if is_postgres else nullcontext
    with translated(), Session(database, expire_on_commit=False) as session, session.begin(), way(session):
        yield session


@contextmanager
def reading(isolation: str = "REPEATABLE READ") -> Iterator[Session]:
    """Yield a transaction that only reads. It never waits for writers. All queries see the same moment.

    Raises Unusable if it has other tables than expected, or forbids them.
    """
    if session := getattr(_OPEN, "session", None):
        yield session
        return
    options: dict[str, Any] = {"cellar_reading": True}
    if engine().dialect.name == "postgresql":
        options["isolation_level"] = isolation  # on SQLite, any transaction sees one moment
    with translated(), Session(_with_options(engine(), **options), autoflush=False, expire_on_commit=False) as session:
        yield session


def asking() -> AbstractContextManager[Session]:
    """Yield a session for one query, which costs Postgres one request instead of three. Otherwise as `reading`."""
    return reading("AUTOCOMMIT")


@contextmanager
def one_moment() -> Iterator[None]:
    """Let all that this thread reads in the block see one moment, by one transaction: each costs two requests.

    What is written in the block is not seen in it. Raises as `reading` does.
    """
    with reading() as session:
        before, _OPEN.session = getattr(_OPEN, "session", None), session
        try:
            yield
        finally:
            _OPEN.session = before


@overload
def read_all(asked: SelectOfScalar[Item]) -> list[Item]: ...
@overload
def read_all(asked: Select[*Columns]) -> list[tuple[*Columns]]: ...
def read_all(asked: Any) -> Any:
    """Return all that a select finds. Raises as `reading`."""
    with asking() as session:
        return session.exec(asked).all()


def read_first(asked: SelectOfScalar[Item]) -> Item | None:
    """Return the first that a select of one column finds, None if it finds nothing. Otherwise as `read_all`."""
    with asking() as session:
        return session.exec(asked).first()


def read_one(asked: SelectOfScalar[Item]) -> Item:
    """Return what a select of one column finds once, such as a number. Otherwise as `read_all`."""
    with asking() as session:
        return session.exec(asked).one()


def read_row(table: type[Found], key: Any) -> Found | None:
    """Return the row of a table with a key, None if there is none. Otherwise as `read_all`."""
    with asking() as session:
        return session.get(table, key)


@overload
def read_among(column: Any, values: Iterable[Any], asked: SelectOfScalar[Item]) -> list[Item]: ...
@overload
def read_among(column: Any, values: Iterable[Any], asked: Select[*Columns]) -> list[tuple[*Columns]]: ...
def read_among(column: Any, values: Iterable[Any], asked: Any) -> Any:
    """Return all that a select finds whose column has one of many values, a query for each page of values. Otherwise as
    `read_all`.
    """
    with reading() as session:
        return [each for page in pages(values) for each in session.exec(asked.where(column.in_(page)))]


def json_text(column: Any, dialect: str) -> ColumnElement[str]:
    """Return a JSON column as text. SQLite stores a JSON number as a number: a cast would keep 15 of its digits, and
    would make `Inf`, which is no JSON, of a number that is too large.
    """
    text = cast(column, Text)
    if dialect == "postgresql":
        return text
    digits = func.replace(func.printf("%!.17g", column), "Inf", "1e999", type_=Text())
    return case((func.typeof(column) == "real", digits), else_=text)


def upsert(session: Session, table: type[SQLModel]) -> postgresql.Insert | sqlite.Insert:
    """Return an INSERT into a table that takes `on_conflict_do_nothing` or `on_conflict_do_update`."""
    return postgresql.insert(table) if session.get_bind().dialect.name == "postgresql" else sqlite.insert(table)


def insert_new(session: Session, table: type[SQLModel], row: Mapping[str, Any]) -> bool:
    """Insert a row unless its key exists, and return whether it was new.

    One statement answers "new or seen?": with a query before the insert, two processes could both find nothing.
    """
    statement = upsert(session, table).values(**row).on_conflict_do_nothing()
    # psycopg reports no row count for this statement, hence RETURNING.
    returned = session.connection().execute(statement.returning(*inspect(table).primary_key))
    return returned.first() is not None


def change(session: Session, row: SQLModel, values: Mapping[str, Any]) -> None:
    """Change columns of a row that is locked. The ORM would wait for the number of rows, to see whether it is there."""
    changed = {name: value for name, value in values.items() if getattr(row, name) != value}
    key = (each == getattr(row, str(each.key)) for each in inspect(type(row)).primary_key)
    if changed:
        session.connection().execute(update(type(row)).where(*key).values(changed))
    for name, value in changed.items():
        set_committed_value(row, name, value)


def insert_rows(session: Session, table: type[SQLModel], rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert many rows, a thousand at once: 3 ms for 526 rows on SQLite; row by row takes 20 times as long."""
    for page in pages(rows, _ROWS_AT_ONCE):  # the driver copies the rows of each statement
        session.connection().execute(table_of(table).insert(), page)


def streamed(session: Session, statement: Executable) -> Iterator[Row[Any]]:
    """Yield rows without the ORM, a few at a time. An archive may have 100,000; the ORM needs ten times the memory."""
    yield from session.connection().execute(statement, execution_options={"yield_per": _ROWS_AT_ONCE})


def pages(items: Iterable[Item], size: int = _VALUES_PER_QUERY) -> Iterator[list[Item]]:
    """Yield items in pages that fit into a query as its values."""
    rest = iter(items)
    while page := list(islice(rest, size)):
        yield page


@contextmanager
def translated() -> Iterator[None]:
    """Translate the drivers' errors: an unreachable database is Transient, one with other tables is Unusable."""
    try:
        yield
    except PoolTimeout as error:
        raise Transient(Sentence.database_busy(), system=System.DATABASE) from error
    except (exc.OperationalError, exc.InterfaceError, exc.ProgrammingError) as error:
        if _has_other_tables(error):
            raise other_tables() from error
        if _code(error) == _DENIED:
            raise Unusable(Sentence.database_denies()) from error
        if isinstance(error, exc.ProgrammingError):
            raise
        raise unanswered(error) from error
    except exc.DatabaseError as error:
        if isinstance(error.orig, sqlite3.DatabaseError) and "not a database" in str(error.orig):
            raise no_database() from error
        raise


def _has_other_tables(error: exc.DBAPIError) -> bool:
    """Return whether tables or columns are missing. SQLite reports an unreachable database by the same error class."""
    return _code(error) in (_NO_TABLE, _NO_COLUMN) or any(
        said in str(error.orig) for said in ("no such table", "no such column", "has no column")
    )


def _code(error: exc.DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None)


def is_reachable() -> bool:
    try:
        with reading() as session:
            session.connection()
    except Transient:
        return False
    return True

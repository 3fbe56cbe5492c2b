"""Rows of every table arrive in a database of the other kind as they were."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON, BigInteger, Boolean, Date, Engine, Float, Integer, LargeBinary, Table, func, select, text

from adapters.database.connections import connected
from adapters.database.copying import copy_rows, counts, tables
from models.columns import Moment
from models.errors import Conflict

_JSON = [{"é": [1, 2.50, 1e3, None, "\u05d0"], "a": {"z": 1, "b": True}}, [], "text", 123_456_789_012.345_67]
_ROWS = 2


@pytest.fixture
def sqlite_engine(migrated_file: Path, tmp_path: Path) -> Iterator[Engine]:
    path = tmp_path / "cellar.db"
    path.write_bytes(migrated_file.read_bytes())
    with _disposed(connected(f"sqlite:///{path}")) as engine:
        yield engine


@pytest.fixture
def postgres_engine(postgres_installation: str) -> Iterator[Engine]:
    with _disposed(connected(postgres_installation)) as engine:
        yield engine


@contextmanager
def _disposed(engine: Engine) -> Iterator[Engine]:
    try:
        yield engine
    finally:
        engine.dispose()


@pytest.mark.parametrize("to", ["sqlite", "postgres"])
def test_every_table_is_copied_and_a_second_copy_changes_nothing(
    sqlite_engine: Engine, postgres_engine: Engine, to: str
) -> None:
    source, target = (sqlite_engine, postgres_engine) if to == "postgres" else (postgres_engine, sqlite_engine)
    _fill(source)

    first = copy_rows(source, target, lambda _: None)
    second = copy_rows(source, target, lambda _: None)

    assert first == second == counts(target) == {each.name: _ROWS for each in tables()}
    for table in tables():
        assert _rows(target, table) == _rows(source, table)
        assert _missing(target, table) == _missing(source, table)


def test_half_a_copy_is_completed_and_other_rows_are_found_and_kept(
    sqlite_engine: Engine, postgres_engine: Engine
) -> None:
    _fill(sqlite_engine)
    copy_rows(sqlite_engine, postgres_engine, lambda _: None)
    with postgres_engine.begin() as connection:
        connection.execute(text("DELETE FROM delivery WHERE delivery_id = '0'"))
    copy_rows(sqlite_engine, postgres_engine, lambda _: None)

    with postgres_engine.begin() as connection:
        connection.execute(text("UPDATE delivery SET reference = 'other' WHERE delivery_id = '0'"))
    with pytest.raises(Conflict, match="table delivery: expected the 2 rows of the old database, got 2 rows, or other"):
        copy_rows(sqlite_engine, postgres_engine, lambda _: None)
    with postgres_engine.connect() as connection:
        assert connection.execute(text("SELECT reference FROM delivery WHERE delivery_id = '0'")).scalar() == "other"


def test_tables_of_something_else_are_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE customers (name TEXT)")
    other = connected(f"sqlite:///{tmp_path / 'other.db'}")
    with _disposed(other), pytest.raises(Conflict, match="tables that cellar does not know: customers"):
        counts(other)


def _fill(engine: Engine) -> None:
    """Write two rows into every table: one with all values, and one with as few as it takes."""
    with engine.begin() as connection:
        for table in tables():
            for number in range(_ROWS):
                row = {each.name: _value(each, number) for each in table.columns if number == 0 or not each.nullable}
                connection.execute(table.insert().values(row))


def _value(column: Any, number: int) -> Any:
    made: dict[type, Callable[[], Any]] = {
        JSON: lambda: _JSON[len(column.name) % len(_JSON)],
        Moment: lambda: datetime(2026, 11, 26, 18, 0, number, 123456, tzinfo=UTC),
        Boolean: lambda: number == 0,
        BigInteger: lambda: (1 << 40) + number,
        Integer: lambda: number,
        Float: lambda: 0.1 + number,
        Date: lambda: date(2026, 11, 26 - number),
        LargeBinary: lambda: bytes(range(256)),
    }
    if type(column.type) in made:
        return made[type(column.type)]()
    return f"{number}" if column.primary_key else f"שלום 😀 '{number}'"[: column.type.length]


def _rows(engine: Engine, table: Table) -> list[str]:
    with engine.connect() as connection:
        return sorted(str([_plain(each) for each in row]) for row in connection.execute(select(table)))


def _plain(value: Any) -> Any:
    """Return a value whose text does not depend on the order of the members of an object."""
    return json.dumps(value, sort_keys=True) if isinstance(value, dict) else value


def _missing(engine: Engine, table: Table) -> dict[str, int]:
    """Return how often each column is NULL in the database, which the JSON `null` is not."""
    with engine.connect() as connection:
        counted = [func.count().filter(each.is_(None)).label(each.name) for each in table.columns]
        return dict(connection.execute(select(*counted)).mappings().one())

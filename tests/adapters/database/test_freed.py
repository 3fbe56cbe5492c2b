"""After `leave_nothing`, no byte of a file of SQLite has a value that was deleted or replaced."""

import random
import re
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import delete, update
from sqlmodel import Session, col

from adapters.database.connections import engine
from adapters.database.freed import leave_nothing
from adapters.database.transactions import writing
from adapters.settings.settings import Settings
from models.archive.archive import ArchiveRow, FormFieldRow
from models.changes import ChangeRow
from models.columns import table_of
from models.search import SearchEntryRow
from tests.records import NOON

_ARCHIVES = 1200
_AT_ONCE = 40
_LENGTHS = (0, 1, 7, 40, 2000)
_TABLES = [table_of(each) for each in (ArchiveRow, FormFieldRow, SearchEntryRow)]
_RARE = "ѡ12"
"""No other term of the text index begins with its letter, so the index has it as it is, and not as a difference."""


def found_in(path: Path) -> set[str]:
    """Return what was planted and stands in any byte of a database, of its write-ahead log and of that log's index."""
    every_byte = b"".join(each.read_bytes() for each in path.parent.glob(f"{path.name}*"))
    return {each.decode() for each in re.findall(rb"(?:old|new) \d{4}|" + _RARE.encode(), every_byte)}


def write(session: Session, number: int, state: str, length: int) -> None:
    """Write the rows of an archive, whose values name its number and a state, or replace those of the state before."""
    value = f"{state} {number:04} " * length + _RARE * (number == 0 and state == "old")
    rows = [
        {"state": "received", "received_at": NOON},
        {"position": 0, "value": value, "meta": {}},
        {"id": number, "text": value},
    ]
    for table, row in zip(_TABLES, rows, strict=True):
        before = table.c.reference == f"old {number:04}"
        made = table.insert() if state == "old" else update(table).where(before)
        session.execute(made.values(row | {"reference": f"{state} {number:04}"}))


def remove(session: Session, number: int, state: str) -> None:
    for table in (*_TABLES, table_of(ChangeRow)):
        session.execute(delete(table).where(table.c.reference == f"{state} {number:04}"))


def test_no_byte_has_a_value_that_was_deleted_or_replaced(sqlite_installation: Settings) -> None:
    """Archives come in random order, so pages are split. Two thirds of them are replaced, and half of these deleted."""
    database, made = Path(engine().url.database or ""), random.Random(7)
    numbers = made.sample(range(_ARCHIVES), _ARCHIVES)
    for begin in range(0, _ARCHIVES, _AT_ONCE):
        with writing() as session:
            for each in numbers[begin : begin + _AT_ONCE]:
                write(session, each, "old", made.choice(_LENGTHS))
    for begin in range(0, _ARCHIVES, _AT_ONCE):
        with writing() as session:
            for each in numbers[begin : begin + _AT_ONCE]:
                if each % 3 != 1:
                    write(session, each, "new", made.choice(_LENGTHS))
    for begin in range(0, _ARCHIVES, 3):
        with writing() as session:
            remove(session, begin, "new")
    stays = {f"{'old' if each % 3 == 1 else 'new'} {each:04}" for each in range(_ARCHIVES) if each % 3}
    with writing() as session:  # triggers have noted the archives that were replaced
        session.execute(delete(ChangeRow).where(col(ChangeRow.reference).not_in(stays)))
    before = found_in(database)
    assert before > stays | {_RARE}

    leave_nothing()

    assert found_in(database) == stays
    with writing() as session:
        write(session, _ARCHIVES, "old", 40)
    with writing() as session:
        remove(session, _ARCHIVES, "old")
    leave_nothing()
    assert found_in(database) == stays
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.execute("INSERT INTO search_text (search_text, rank) VALUES ('integrity-check', 1)")

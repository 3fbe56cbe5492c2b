"""Overwrites what values leave behind in files of SQLite, so that an erased value is in no byte of them.

`secure_delete` zeroes rows and pages when they are deleted. A value survives in three other places: in the text index,
until its parts are merged; between the cells of a page that was split, which keeps copies of the rows that the other
page got (of 12,000 deleted values, 13 were still there); and in the write-ahead log.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from struct import unpack_from

import stamina
from sqlalchemy import inspect, text

from adapters.database.connections import engine
from adapters.database.transactions import writing
from adapters.settings.database_urls import database_place
from adapters.settings.environment import prefect_file
from adapters.settings.settings import settings
from models.errors import System, Transient
from models.said import Sentence

_MERGED = text("INSERT INTO search_text (search_text) VALUES ('optimize')")
_INNER, _LEAVES = (2, 5), (10, 13)
_HEAD_OF_FILE_BYTES = 100
_PAGES_AT_ONCE = 1000
_WAITS_S = 10  # writers wait meanwhile, for 30 s at most
_MOST_PAGES = 1 << 24
"""With more pages, the number of a page may begin an overflow page as the kind of a page with cells would."""
_HAS_PAGES = "SELECT count(*) FROM pragma_module_list WHERE name = 'sqlite_dbpage'"


def leave_nothing() -> None:
    """Overwrite what earlier values have left behind in cellar's database and that of the embedded Prefect server.

    Others write meanwhile, but for the time in which the text index is merged: 1.2 s for 100,000 archives. On Postgres,
    the statistics are made again, which show values to queries; VACUUM is for its files (docs/at-rest.md).

    Raises Transient while another program keeps a file locked, or reads from its log for ten seconds.
    """
    if engine().dialect.name == "sqlite":
        with writing() as session:
            session.connection().execute(_MERGED)
        _clear(Path(database_place(settings().database_location)))
    else:
        with writing() as session:
            tables = inspect(session.connection()).get_table_names()
            session.connection().execute(text("ANALYZE " + ", ".join(f'"{each}"' for each in tables)))
    if prefect_file(settings()).exists():
        _clear(prefect_file(settings()))


def _clear(path: Path) -> None:
    try:
        with closing(sqlite3.connect(path, timeout=_WAITS_S, isolation_level=None)) as connection:
            _clear_pages(connection)
            _empty_log(connection)
    except sqlite3.OperationalError as error:
        raise Transient(Sentence.database_silent(reason=str(error)), system=System.DATABASE) from error


@stamina.retry(on=Transient, attempts=None, timeout=_WAITS_S, wait_initial=0.1, wait_max=1)
def _empty_log(connection: sqlite3.Connection) -> None:
    """Empty the write-ahead log. SQLite waits for readers, but not for a writer that checkpoints at this moment."""
    [(is_busy, *_)] = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    if is_busy:
        raise Transient(Sentence.database_silent(reason="another program reads from its log"), system=System.DATABASE)


def _clear_pages(connection: sqlite3.Connection) -> None:
    """Zero what lies between the cells of each page.

    Where SQLite shows no pages, or by default overwrites nothing that is deleted, it makes the whole file again. This
    takes ten times as long and twice the room, and locks out programs that write.
    """
    [(has_pages,)] = connection.execute(_HAS_PAGES)
    [(overwrites,)] = connection.execute("PRAGMA secure_delete")
    [(number,)] = connection.execute("PRAGMA page_count")
    if not has_pages or overwrites != 1 or number >= _MOST_PAGES:
        connection.execute("VACUUM")
        return
    numbers = [each for each, page in connection.execute("SELECT pgno, data FROM sqlite_dbpage") if cleared(each, page)]
    for begin in range(0, len(numbers), _PAGES_AT_ONCE):
        connection.execute("BEGIN IMMEDIATE")
        for each in numbers[begin : begin + _PAGES_AT_ONCE]:  # read again: another program may have changed it
            [(page,)] = connection.execute("SELECT data FROM sqlite_dbpage WHERE pgno = ?", (each,))
            if clear := cleared(each, page):
                connection.execute("UPDATE sqlite_dbpage SET data = ? WHERE pgno = ?", (clear, each))
        connection.execute("COMMIT")


def cleared(number: int, page: bytes) -> bytes | None:
    """Return a page with zeroes between the list of its cells and its cells; None if nothing else is there. Pure.

    Source: SQLite, "Database File Format", B-tree Pages.
    """
    head = _HEAD_OF_FILE_BYTES if number == 1 else 0
    kind, cells, end = page[head], *unpack_from(">HH", page, head + 3)
    begin = head + (12 if kind in _INNER else 8) + 2 * cells
    if kind not in _INNER + _LEAVES or not begin <= end <= len(page) or page.count(0, begin, end) == end - begin:
        return None
    return page[:begin] + bytes(end - begin) + page[end:]

"""Fills a database with archives to search in, faster than cellar would, and builds the indexes at the end."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from sqlalchemy import text

from adapters.database.connections import engine
from adapters.database.text_index import make_text_index
from adapters.database.transactions import insert_rows, writing
from adapters.search.templates import put
from benchmarks.search.made import COLUMNS, Made, branches, made
from domain.search import facet
from models.completeness.processes import MissingProcessRow
from models.search import FacetValueRow, Kind
from models.templates import Template, TemplateWords

_AT_ONCE = 20_000
_ARCHIVE = ("reference", "state", "received_at", "template_id", "process_number", "source")
_ENTRY = ("id", "reference", "text", "title")
_FACET = ("entry_id", "kind", "facet")
_FACET_INDEX = "CREATE INDEX ix_search_facet_facet ON search_facet (facet, entry_id)"


def fill(count: int) -> None:
    """Fill an empty, migrated database. The branch is a facet, and of a thousand processes something is missing."""
    if engine().dialect.name == "sqlite":
        _fill_sqlite(count)
    else:
        _fill_postgres(count)
    values = [
        {"facet": facet(Kind.LABEL, each, "branch"), "kind": "label", "name": "branch", "value": each}
        for each in branches()
    ]
    rows = [made(number, count).row for number in range(0, count, max(1, count // 1000))]
    its = {"source": "default", "why": "submitted", "closed_at": None}
    missing = [
        its | {"missing_id": f"m-{each['reference']}", "reference": each["reference"]}
        | dict.fromkeys(("since", "deadline_at", "opened_at"), each["received_at"])
        for each in rows
    ]  # fmt: skip
    words = TemplateWords(facets=("label:branch",))
    with writing() as session:
        insert_rows(session, FacetValueRow, values)
        insert_rows(session, MissingProcessRow, missing)
        put(session, Template(id="template-0", words=words, changed_at=datetime.now(UTC), changed_by="benchmark"))


def _pages(count: int) -> Iterator[list[Made]]:
    rest = (made(number, count) for number in range(count))
    while page := list(islice(rest, _AT_ONCE)):
        yield page


def _archives(page: Iterable[Made]) -> Iterator[tuple[Any, ...]]:
    return (tuple(each.row[name] for name in _ARCHIVE) for each in page)


def _entries(page: Iterable[Made]) -> Iterator[tuple[Any, ...]]:
    return ((each.entry_id, each.row["reference"], each.text, each.title) for each in page)


def _facets(page: Iterable[Made]) -> list[tuple[int, str, int]]:
    return sorted(row for each in page for row in each.facets())


def _rows(page: Iterable[Made]) -> dict[str, list[tuple[Any, ...]]]:
    found: dict[str, list[tuple[Any, ...]]] = {table: [] for table in COLUMNS}
    for each in page:
        for table, row in each.rows():
            found[table].append(row)
    return found


def _fill_sqlite(count: int) -> None:
    connection = engine().raw_connection()
    execute = connection.cursor().execute
    triggers = [name for (name,) in execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()]
    kept = [sql for (sql,) in execute("SELECT sql FROM sqlite_master WHERE type = 'trigger'").fetchall()]
    for each in ("PRAGMA synchronous=OFF", "PRAGMA cache_size=-400000", "DROP INDEX ix_search_facet_facet"):
        execute(each)
    for name in triggers:
        execute(f"DROP TRIGGER {name}")
    for page in _pages(count):
        execute("BEGIN")
        rows = (
            tuple(each.isoformat(" ")[:26] if hasattr(each, "isoformat") else each for each in row)
            for row in _archives(page)
        )
        _insert_sqlite(connection, "archive", _ARCHIVE, rows)
        _insert_sqlite(connection, "search_entry", _ENTRY, _entries(page))
        _insert_sqlite(connection, "search_facet", _FACET, _facets(page))
        for table, values in _rows(page).items():
            _insert_sqlite(connection, table, COLUMNS[table], values)
        execute("COMMIT")
    for each in (_FACET_INDEX, "INSERT INTO search_text (search_text) VALUES ('rebuild')", *kept):
        execute(each)
    connection.close()
    engine().dispose()


def _as_sqlite(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(f"{each:%Y-%m-%d %H:%M:%S.%f}" if isinstance(each, datetime) else each for each in row)


def _insert_sqlite(connection: Any, name: str, columns: tuple[str, ...], rows: Iterable[Any]) -> None:
    marks = ", ".join("?" for _ in columns)
    connection.cursor().executemany(f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({marks})", rows)


def _fill_postgres(count: int) -> None:
    with engine().begin() as connection:
        for each in ("DROP INDEX ix_search_facet_facet", "DROP INDEX IF EXISTS ix_search_entry_text"):
            connection.execute(text(each))
        cursor = connection.connection.cursor()
        for page in _pages(count):
            _copy(cursor, "archive", _ARCHIVE, _archives(page))
            _copy(cursor, "search_entry", _ENTRY, _entries(page))
            _copy(cursor, "search_facet", _FACET, _facets(page))
            for table, values in _rows(page).items():
                _copy(cursor, table, COLUMNS[table], values)
    with engine().begin() as connection:
        connection.execute(text("SET LOCAL maintenance_work_mem = '512MB'"))
        connection.execute(text(_FACET_INDEX))
        make_text_index(connection)
    with engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


def _copy(cursor: Any, name: str, columns: tuple[str, ...], rows: Iterable[Any]) -> None:
    with cursor.copy(f"COPY {name} ({', '.join(columns)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)

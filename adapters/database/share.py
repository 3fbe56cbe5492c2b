"""Tables of the share: in a schema of cellar's Postgres that cellar alone enters, and shown by views in another schema.

What is new of a table is written beside it in short transactions, and takes effect in one more, with the position where
it leads. So no reader sees a half, and changes of archives wait for no long transaction. Each `put` claims the table by
the next number of its version: of two publishers, the first then fails. Our errors repeat no text of the server's
errors, which may show rows.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias, cast

import psycopg
import pyarrow as pa
import stamina
from psycopg import errors
from pyarrow import csv

from adapters.database.connections import engine
from adapters.database.transactions import translated
from domain.tables.names import quoted
from models.errors import Conflict, System, Transient, Unusable
from models.said import Sentence

_VIEWS, _TABLES, _READER = "cellar_share", "cellar_tables", "cellar_share_reader"
_TYPES = {
    pa.string(): "text",
    pa.int64(): "bigint",
    pa.decimal128(38, 18): "numeric(38, 18)",
    pa.date32(): "date",
    pa.bool_(): "boolean",
    pa.float64(): "double precision",
    pa.timestamp("us", tz="UTC"): "timestamptz",
}
_MOST_COLUMNS = 380
"""A row of Postgres must fit into 8 KiB, where a value takes up to 21 bytes, however long it is."""
_CODES, _MOST_INDEXES = ("standing", "state"), 16
"""Columns that have an index, beside choices. With `_archive` in it, a join needs no row, and took a fifth as long."""
_ROWS_AT_ONCE = 10_000
_KEPT = errors.LockNotAvailable, errors.DeadlockDetected
"""A reader keeps what has to be locked, or a view of others, which a reader locks before ours and we after it."""
_WAITS_MS, _TRIES_FOR_S = 2000, 60
"""For readers who keep a table, while new readers wait; and how long it is tried again."""
_MADE = f"""DO $$ BEGIN
IF to_regnamespace('{_TABLES}') IS NULL THEN CREATE SCHEMA {_TABLES}; END IF;
IF to_regnamespace('{_VIEWS}') IS NULL THEN CREATE SCHEMA {_VIEWS}; END IF;
CREATE TABLE IF NOT EXISTS {_TABLES}._state (
  name text PRIMARY KEY, version bigint NOT NULL, of text, position bigint, columns bytea);
END $$"""
_READ = f"""DO $$ BEGIN
IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{_READER}') THEN CREATE ROLE {_READER} NOLOGIN; END IF;
GRANT USAGE ON SCHEMA {_VIEWS} TO {_READER};
GRANT SELECT ON {{view}} TO {_READER};
EXCEPTION WHEN insufficient_privilege OR duplicate_object OR unique_violation THEN NULL; END $$"""
_CLAIM = f"""INSERT INTO {_TABLES}._state AS its (name, version) VALUES (%(name)s, %(version)s + 1)
ON CONFLICT (name) DO UPDATE SET version = excluded.version WHERE its.version = %(version)s RETURNING version"""
_HOLD = f"SELECT version FROM {_TABLES}._state WHERE name = %(name)s AND version = %(version)s FOR UPDATE"
_MOVE = f"UPDATE {_TABLES}._state SET of = %s, position = %s, columns = %s WHERE name = %s"

_Driver: TypeAlias = psycopg.Connection[tuple[Any, ...]]


class ShareTable:
    """A table of the share, as `LakeTable` is one of the lake."""

    def __init__(self, name: str) -> None:
        """Open a table, or what will be one. Raises as `put` does."""
        self.name, self.place = name, f"{_VIEWS}.{name}"
        self._table, self._new, self._view = f'{_TABLES}."{name}"', f'{_TABLES}."_new_{name}"', f'{_VIEWS}."{name}"'
        self.version, self._columns = -1, list[pa.Field]()
        self._at: tuple[str | None, int | None] = (None, None)
        with self._transaction() as driver:
            if driver.execute(f"SELECT to_regclass('{_TABLES}._state')").fetchone() == (None,):
                return
            asked = f"SELECT version, of, position, columns, to_regclass(%s) FROM {_TABLES}._state WHERE name = %s"
            if found := driver.execute(asked, [self._view, name]).fetchone():
                self.version, *_, columns, view = found
                if view and columns:  # else nobody knows what others have left of it
                    self._at, self._columns = found[1:3], [*pa.ipc.read_schema(pa.py_buffer(columns))]

    def position(self, of: str) -> int | None:
        return self._at[1] if self._at[0] == of else None

    def takes(self, schema: pa.Schema) -> bool:
        new = {each.name: each for each in [*schema][:_MOST_COLUMNS]}
        its = ((each, new.get(each.name)) for each in self._columns)
        return bool(self._columns) and all(other and each.equals(other, check_metadata=True) for each, other in its)

    def read(self, columns: list[str], where: str | None) -> Iterator[pa.RecordBatch]:
        if self._columns:
            with self._transaction() as driver, driver.cursor("read") as cursor:
                cursor.execute(f"SELECT {_names(columns)} FROM {self._table} WHERE {where or 'true'}")
                while rows := cursor.fetchmany(_ROWS_AT_ONCE):
                    yield pa.RecordBatch.from_arrays([pa.array(each) for each in zip(*rows, strict=True)], columns)

    def put(
        self,
        schema: pa.Schema,
        batches: Iterable[pa.RecordBatch],
        where: str | None,
        position: tuple[str, int] | None,
        *,
        is_sound: bool,
    ) -> int:
        """Replace rows as `LakeTable.put` does. No file has to go: the table has its position at once.

        Raises:
            Conflict: the table is not what it was.
            Transient: the database does not answer, readers keep the table, or another publisher was faster.
            Unusable: the user of the database may make no schema.
        """
        schema, there = pa.schema([*schema][:_MOST_COLUMNS], schema.metadata), {each.name for each in self._columns}
        few = {*_CODES, *_said(schema.metadata, b"choices").split()}
        indexed = [each for each in schema.names if each in few and (where is None or each not in there)]
        self._begin(schema)
        rows = sum(self._copy(each.select(schema.names)) for each in batches)
        if where is None:
            self._index(self._new, ["_archive", *indexed])
            with self._transaction() as driver:
                driver.execute(f"ANALYZE {self._new}")
        try:
            self._turn(schema, where, position or (self._at if is_sound else (None, None)), is_sound=is_sound)
        except _KEPT:
            raise Transient(f"readers keep the table {self.name} of the share; the next run goes on") from None
        if where is not None:
            self._index(self._table, indexed)
        return rows

    def _begin(self, schema: pa.Schema) -> None:
        columns = ", ".join(f'"{each.name}" {_TYPES[each.type]}' for each in schema)
        with self._transaction() as driver:
            driver.execute(_MADE)
            self._own(driver, _CLAIM)
            driver.execute(f"DROP TABLE IF EXISTS {self._new}; CREATE TABLE {self._new} ({columns})")
        self.version += 1

    def _copy(self, batch: pa.RecordBatch) -> int:
        csv.write_csv(batch, text := pa.BufferOutputStream(), csv.WriteOptions(include_header=False))
        with self._transaction() as driver, driver.cursor() as cursor:
            self._own(driver, _HOLD)
            with cursor.copy(f"COPY {self._new} ({_names(batch.schema.names)}) FROM STDIN (FORMAT csv)") as copy:
                copy.write(text.getvalue())
        return int(batch.num_rows)

    @stamina.retry(on=_KEPT, attempts=None, timeout=_TRIES_FOR_S, wait_max=5)
    def _turn(self, schema: pa.Schema, where: str | None, at: tuple[str | None, int | None], *, is_sound: bool) -> None:
        """Let what was written beside the table take effect, once no reader keeps what has to be locked."""
        new, names = {each.name: each for each in schema}, _names(schema.names)
        keeps = all(each.name in new and each.type == new[each.name].type for each in self._columns)
        columns = [new[each.name] for each in self._columns] if keeps else []
        columns += (added := [each for each in schema if each not in columns])
        if where is None:
            made = [] if keeps and self._columns else [f"DROP VIEW IF EXISTS {self._view} CASCADE"]
            made += [*self._shown(columns, self._new, schema), f"DROP TABLE IF EXISTS {self._table}"]
            made += [f'ALTER TABLE {self._new} RENAME TO "{self.name}"']
        else:
            lock = f"LOCK TABLE {self._view} IN ACCESS EXCLUSIVE MODE"  # before the table, as readers do
            made = [lock] if added else []
            made += [f'ALTER TABLE {self._table} ADD COLUMN "{each.name}" {_TYPES[each.type]}' for each in added]
            made += self._shown(columns, self._table, schema) if added else []
            made += [f"DELETE FROM {self._table} WHERE {where}"]
            made += [f"INSERT INTO {self._table} ({names}) SELECT {names} FROM {self._new}", f"DROP TABLE {self._new}"]
            made += [] if is_sound else [f"ANALYZE {self._table}"]  # the statistics show values
        with self._transaction() as driver:
            driver.execute(f"SET LOCAL lock_timeout = {_WAITS_MS}")
            self._own(driver, _HOLD)
            driver.execute("; ".join(made))
            driver.execute(_MOVE, [*at, pa.schema(columns).serialize().to_pybytes(), self.name])
        self._columns, self._at = columns, at

    def _shown(self, columns: list[pa.Field], table: str, schema: pa.Schema) -> Iterator[str]:
        """Yield what lets the view show a table."""
        yield f"CREATE OR REPLACE VIEW {self._view} AS SELECT {_names(each.name for each in columns)} FROM {table}"
        yield f"COMMENT ON VIEW {self._view} IS {quoted(_said(schema.metadata, b'description'))}"
        for each in columns:
            about = quoted(_said(each.metadata, b"description"))
            yield f'COMMENT ON COLUMN {self._view}."{each.name}" IS {about}'
        yield _READ.format(view=self._view)

    def _index(self, table: str, columns: list[str]) -> None:
        for each in columns[:_MOST_INDEXES]:
            with suppress(Conflict), self._transaction() as driver:  # texts of some KiB fit into no index
                self._own(driver, _HOLD)
                its = "_archive" if each == "_archive" else f'"{each}", _archive'
                driver.execute(f"CREATE INDEX ON {table} ({its})")

    def tidy(self, *, wholly: bool) -> None:
        """Let the place of removed rows be used again, and joins need no rows, if `wholly`; else Postgres does so."""
        if wholly:
            with self._errors(), engine().connect() as connection:
                alone = connection.execution_options(isolation_level="AUTOCOMMIT").connection.driver_connection
                cast(_Driver, alone).execute(f"VACUUM {self._table}")

    def _own(self, driver: _Driver, how: str) -> None:
        if driver.execute(how, {"name": self.name, "version": self.version}).fetchone() is None:
            raise Transient(f"another program wrote the table {self.name} of the share at the same time")

    @contextmanager
    def _transaction(self) -> Iterator[_Driver]:
        with self._errors(), engine().begin() as connection:
            yield cast(_Driver, connection.connection.driver_connection)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            with translated():
                yield
        except _KEPT:
            raise
        except errors.InsufficientPrivilege:
            needed = "what an administrator runs for CELLAR_SHARE stands in docs/tables.md"
            raise Unusable(f"the user of the database may make no schema: {needed}") from None
        except psycopg.Error as error:
            reason, is_away = type(error).__name__, isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
            if is_away and not isinstance(error, errors.ProgramLimitExceeded):  # a value that fits into no index
                raise Transient(Sentence.database_silent(reason=reason), system=System.DATABASE) from None
            raise Conflict(f"the table {self.name} of the share cannot be read or written: {reason}") from None


def _names(names: Iterable[str]) -> str:
    return ", ".join(f'"{each}"' for each in names)


def _said(metadata: Mapping[bytes, bytes] | None, what: bytes) -> str:
    return (metadata or {}).get(what, b"").decode()

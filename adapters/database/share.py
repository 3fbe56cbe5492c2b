"""Tables of the share: in a schema of cellar's Postgres, each written and moved in one transaction.

What is new is put together in a file first, since changes of archives wait for a transaction that goes on. Of two
publishers, the second finds another version of the table, and fails. Our errors repeat no text of the server's errors,
which may show rows.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import IO, Any, TypeAlias, cast

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

_SHARE, _READER = "cellar_share", "cellar_share_reader"
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
_ROWS_AT_ONCE, _BYTES_AT_ONCE = 10_000, 1 << 20
_KEPT = errors.LockNotAvailable, errors.DeadlockDetected
"""A reader keeps the table, or a view of their own, which they lock before the table and we after it."""
_WAITS_MS, _TRIES_FOR_S = 2000, 60
"""For readers who keep a table, while new readers wait; and how long it is tried again."""
_MADE = f"""DO $$ BEGIN
IF to_regnamespace('{_SHARE}') IS NULL THEN CREATE SCHEMA {_SHARE}; END IF;
CREATE TABLE IF NOT EXISTS {_SHARE}._state (
  name text PRIMARY KEY, version bigint NOT NULL, of text, position bigint, columns bytea);
END $$"""
_READ = f"""DO $$ BEGIN
IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{_READER}') THEN CREATE ROLE {_READER} NOLOGIN; END IF;
GRANT USAGE ON SCHEMA {_SHARE} TO {_READER};
GRANT SELECT ON {{table}} TO {_READER};
EXCEPTION WHEN insufficient_privilege OR duplicate_object OR unique_violation THEN NULL; END $$"""
_MOVE = f"""INSERT INTO {_SHARE}._state AS its (name, version, of, position, columns)
VALUES (%(name)s, %(version)s + 1, %(of)s, %(position)s, %(columns)s) ON CONFLICT (name) DO UPDATE
SET version = excluded.version, of = excluded.of, position = excluded.position, columns = excluded.columns
WHERE its.version = %(version)s RETURNING version"""

_Driver: TypeAlias = psycopg.Connection[tuple[Any, ...]]


class ShareTable:
    """A table of the share, as `LakeTable` is one of the lake."""

    def __init__(self, name: str) -> None:
        """Open a table, or what will be one. Raises as `put` does."""
        self.name, self.place = name, f"{_SHARE}.{name}"
        self._table = f'{_SHARE}."{name}"'
        self.version, self._columns = -1, list[pa.Field]()
        self._at: tuple[str | None, int | None] = (None, None)
        with self._transaction() as driver:
            if driver.execute(f"SELECT to_regclass('{_SHARE}._state')").fetchone() == (None,):
                return
            asked = f"SELECT version, of, position, columns, to_regclass(%s) FROM {_SHARE}._state WHERE name = %s"
            if found := driver.execute(asked, [self._table, name]).fetchone():
                self.version, *_, columns, table = found
                if table:
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
        schema, rows = pa.schema([*schema][:_MOST_COLUMNS], schema.metadata), 0
        at = position or (self._at if is_sound else (None, None))
        with TemporaryFile() as file:
            for each in batches:
                csv.write_csv(each.select(schema.names), file, csv.WriteOptions(include_header=False))
                rows += each.num_rows
            try:
                self._move(schema, file, where, at, is_sound=is_sound)
            except _KEPT:
                raise Transient(f"readers keep the table {self.name} of the share; the next run goes on") from None
        return rows

    @stamina.retry(on=_KEPT, attempts=None, timeout=_TRIES_FOR_S, wait_max=5)
    def _move(
        self,
        schema: pa.Schema,
        file: IO[bytes],
        where: str | None,
        at: tuple[str | None, int | None],
        *,
        is_sound: bool,
    ) -> None:
        new = {each.name: each for each in schema}
        keeps = bool(self._columns) and all(
            each.name in new and each.type == new[each.name].type for each in self._columns
        )
        columns = [new[each.name] for each in self._columns] if keeps else []
        columns += (added := [each for each in schema if each not in columns])
        its = {"name": self.name, "version": self.version, "of": at[0], "position": at[1]}
        its["columns"] = pa.schema(columns).serialize().to_pybytes()
        typed = [f'"{each.name}" {_TYPES[each.type]}' for each in added]
        made = [f"ALTER TABLE {self._table} ADD COLUMN {each}" for each in typed] if keeps else self._anew(typed)
        made += [f"DELETE FROM {self._table} WHERE {where or 'true'}"]
        made += self._described(schema) if added or where is None else []
        with self._transaction() as driver:
            driver.execute(f"SET LOCAL lock_timeout = {_WAITS_MS}; {_MADE}")
            if driver.execute(_MOVE, its).fetchone() is None:
                raise Transient(f"another program wrote the table {self.name} of the share at the same time")
            driver.execute("; ".join(made))
            with driver.cursor().copy(f"COPY {self._table} ({_names(new)}) FROM STDIN (FORMAT csv)") as copy:
                file.seek(0)
                while block := file.read(_BYTES_AT_ONCE):
                    copy.write(block)
            if not is_sound:
                driver.execute(f"ANALYZE {self._table}")  # the statistics show values
        self.version, self._columns, self._at = self.version + 1, columns, at

    def _anew(self, columns: list[str]) -> list[str]:
        """Return what makes the table, and ends the views that readers have on one with other columns."""
        made = [f"CREATE TABLE {self._table} ({', '.join(columns)})", f"CREATE INDEX ON {self._table} (_archive)"]
        return [f"DROP TABLE IF EXISTS {self._table} CASCADE", *made, _READ.format(table=self._table)]

    def _described(self, schema: pa.Schema) -> list[str]:
        its = [f"TABLE {self._table}", *(f'COLUMN {self._table}."{each.name}"' for each in schema)]
        meanings = map(_meaning, (schema.metadata, *(each.metadata for each in schema)))
        return [f"COMMENT ON {of} IS {quoted(meaning)}" for of, meaning in zip(its, meanings, strict=True)]

    def tidy(self, *, wholly: bool) -> None:
        """Let the place of removed rows be used again, and joins need no rows, if `wholly`; else Postgres does so."""
        if wholly:
            with self._errors(), engine().connect() as connection:
                alone = connection.execution_options(isolation_level="AUTOCOMMIT").connection.driver_connection
                cast(_Driver, alone).execute(f"VACUUM {self._table}")

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
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise Transient(Sentence.database_silent(reason=type(error).__name__), system=System.DATABASE) from None
        except psycopg.Error as error:
            reason = type(error).__name__
            raise Conflict(f"the table {self.name} of the share cannot be read or written: {reason}") from None


def _names(names: Iterable[str]) -> str:
    return ", ".join(f'"{each}"' for each in names)


def _meaning(metadata: Mapping[bytes, bytes] | None) -> str:
    return (metadata or {}).get(b"description", b"").decode()

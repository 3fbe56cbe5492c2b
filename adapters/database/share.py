"""Tables of the share: in a schema of cellar's Postgres that cellar alone enters, and shown by views in another schema.

What is new of a table is written beside it in short transactions, and takes effect in one more, with the position where
it leads. So no reader sees a half, and changes of archives wait for no long transaction. Each `put` claims the table by
the next number of its version: of two publishers, the first then fails. Our errors repeat no text of the server's
errors, which may show rows.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, LiteralString, TypeAlias, cast

import psycopg
import pyarrow as pa
import stamina
from psycopg import errors
from pyarrow import csv
from sqlalchemy import Connection

from adapters.database.transactions import engine, translated
from models.errors import Conflict, System, Transient, Unusable
from models.said import Sentence

VIEWS = "cellar_share"
_TABLES, _READER = "cellar_tables", "cellar_share_reader"
_TYPES = {
    pa.string(): "text",
    pa.int64(): "bigint",
    pa.decimal128(38, 18): "numeric(38, 18)",
    pa.date32(): "date",
    pa.bool_(): "boolean",
    pa.float64(): "double precision",
    pa.timestamp("us", tz="UTC"): "timestamptz",
}
_MOST_COLUMNS = 400
"""A row of Postgres must fit into 8 KiB, where a value takes up to 20 bytes, however long it is."""
_ROWS_AT_ONCE = 10_000
_WAITS_MS, _TRIES_FOR_S = 2000, 60
"""For readers who keep a table, while new readers wait; and how long it is tried again."""
_MADE = f"""DO $$ BEGIN
IF to_regnamespace('{_TABLES}') IS NULL THEN CREATE SCHEMA {_TABLES}; END IF;
IF to_regnamespace('{VIEWS}') IS NULL THEN CREATE SCHEMA {VIEWS}; END IF;
CREATE TABLE IF NOT EXISTS {_TABLES}._state (
  name text PRIMARY KEY, version bigint NOT NULL, of text, position bigint, is_sound boolean, columns bytea);
END $$"""
_READ = f"""DO $$ BEGIN
IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{_READER}') THEN CREATE ROLE {_READER} NOLOGIN; END IF;
GRANT USAGE ON SCHEMA {VIEWS} TO {_READER};
GRANT SELECT ON {{view}} TO {_READER};
EXCEPTION WHEN insufficient_privilege OR duplicate_object OR unique_violation THEN NULL; END $$"""
_CLAIM = f"""INSERT INTO {_TABLES}._state AS its (name, version) VALUES (%(name)s, %(version)s + 1)
ON CONFLICT (name) DO UPDATE SET version = excluded.version WHERE its.version = %(version)s RETURNING version"""
_HOLD = f"SELECT version FROM {_TABLES}._state WHERE name = %(name)s AND version = %(version)s FOR UPDATE"

_MOVED = f"""UPDATE {_TABLES}._state SET of = %(of)s, position = %(at)s, is_sound = %(is_sound)s, columns = %(columns)s
WHERE name = %(name)s"""

_Driver: TypeAlias = psycopg.Connection[tuple[Any, ...]]


class ShareTable:
    """A table of the share, as it was when it was opened and is after each call."""

    def __init__(self, name: str) -> None:
        """Open a table, or what will be one. Raises as `put` does."""
        self.name = name
        self._table, self._new, self._view = (f'{_TABLES}."{name}"', f'{_TABLES}."_new_{name}"', f'{VIEWS}."{name}"')
        self.version, self._is_sound, self._columns = -1, False, list[pa.Field]()
        self._at: tuple[str | None, int] = (None, 0)
        with self._transaction() as driver:
            if driver.execute(f"SELECT to_regclass('{_TABLES}._state')").fetchone() == (None,):
                return
            asked = f"SELECT version, of, position, is_sound, columns FROM {_TABLES}._state WHERE name = %s"
            if found := driver.execute(asked, [name]).fetchone():
                self.version, of, position, self._is_sound, columns = found
                self._at = of, position
                self._columns = [*pa.ipc.read_schema(pa.py_buffer(columns))] if columns else []

    def position(self, of: str) -> int | None:
        """Return how far `of` has come here; None if nobody knows what the table has."""
        return self._at[1] if self._is_sound and self._at[0] == of else None

    def takes(self, schema: pa.Schema) -> bool:
        """Return whether the table has no other columns than a schema: it may lack some."""
        new = {each.name: each for each in [*schema][:_MOST_COLUMNS]}
        its = ((each, new.get(each.name)) for each in self._columns)
        return bool(self._columns) and all(other and each.equals(other, check_metadata=True) for each, other in its)

    def read(self, columns: list[str], where: str | None) -> Iterator[pa.RecordBatch]:
        """Yield some columns of all rows, or of those that `where` finds. Raises as `put` does."""
        if not self._columns:
            return
        found = f"SELECT {_names(columns)} FROM {self._table} WHERE {where or 'true'}"
        with self._transaction() as driver, driver.cursor("read") as cursor:
            cursor.execute(found)
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
        """Replace the rows that `where` finds, or the whole table, in one commit, with the position where it leads.

        Return how many rows are new.

        Args:
            is_sound: False if `tidy` must end before anybody trusts the table.

        Raises:
            Conflict: the table is not what it was.
            Transient: the database does not answer, readers keep the table, or another publisher was faster.
            Unusable: the user of cellar may make no schema.
        """
        fields, rows = [*schema][:_MOST_COLUMNS], 0
        names, columns = [each.name for each in fields], ", ".join(map(_column, fields))
        with self._transaction() as driver:
            driver.execute(_MADE)
            self._own(driver, _CLAIM)
            driver.execute(f"DROP TABLE IF EXISTS {self._new}; CREATE TABLE {self._new} ({columns})")
        self.version += 1
        for batch in batches:
            rows += batch.num_rows
            with self._transaction() as driver, driver.cursor() as cursor:
                self._own(driver, _HOLD)
                with cursor.copy(f"COPY {self._new} ({_names(names)}) FROM STDIN (FORMAT csv)") as copy:
                    copy.write(_csv(batch.select(names)))
        if where is None:
            with self._transaction() as driver:
                self._own(driver, _HOLD)
                driver.execute(f"CREATE INDEX ON {self._new} (_archive); ANALYZE {self._new}")
        try:
            self._turn(fields, where, position, is_sound=is_sound, about=_about(schema.metadata))
        except errors.LockNotAvailable:
            raise Transient(f"readers keep the table {self.name} of the share; the next run goes on") from None
        return rows

    @stamina.retry(on=errors.LockNotAvailable, attempts=None, timeout=_TRIES_FOR_S, wait_max=5)
    def _turn(
        self, fields: list[pa.Field], where: str | None, position: tuple[str, int] | None, *, is_sound: bool, about: str
    ) -> None:
        """Let what was written beside the table take effect, once no reader keeps what has to be locked."""
        new, names = {each.name: each for each in fields}, _names([each.name for each in fields])
        keeps = bool(self._columns) and all(_same(each, new.get(each.name)) for each in self._columns)
        kept = [new[each.name] for each in self._columns] if keeps else []
        added = [each for each in fields if each not in kept]
        view = f"CREATE OR REPLACE VIEW {self._view} AS SELECT {_names(each.name for each in kept + added)} FROM {{}}"
        if where is None:
            made = [] if keeps else [f"DROP VIEW IF EXISTS {self._view} CASCADE"]
            made += [view.format(self._new), f"DROP TABLE IF EXISTS {self._table}"]
            made += [f'ALTER TABLE {self._new} RENAME TO "{self.name}"']
        else:
            made = [f"ALTER TABLE {self._table} ADD COLUMN {_column(each)}" for each in added]
            if added:  # the view is locked first, as readers do
                made = [f"LOCK TABLE {self._view} IN ACCESS EXCLUSIVE MODE", *made, view.format(self._table)]
            made += [f"DELETE FROM {self._table} WHERE {where}"]
            made += [f"INSERT INTO {self._table} ({names}) SELECT {names} FROM {self._new}", f"DROP TABLE {self._new}"]
        if where is None or added:
            made += [f"COMMENT ON VIEW {self._view} IS {about}", _READ.format(view=self._view)]
            said = ((each.name, _about(each.metadata)) for each in kept + added)
            made += [f'COMMENT ON COLUMN {self._view}."{name}" IS {text}' for name, text in said]
        with self._transaction() as driver:
            driver.execute(f"SET LOCAL lock_timeout = {_WAITS_MS}")
            self._own(driver, _HOLD)
            driver.execute("; ".join(made))
            of, at = position or self._at
            columns = pa.schema(kept + added).serialize().to_pybytes()
            driver.execute(_MOVED, {"name": self.name, "of": of, "at": at, "is_sound": is_sound, "columns": columns})
        self._columns, self._at, self._is_sound = kept + added, (of, at), is_sound

    def tidy(self, before: int, *, wholly: bool) -> None:
        """Free the room of removed rows, and make the statistics anew, which show values, if `wholly`; else Postgres
        does so by itself. Raises as `put` does.
        """
        if wholly and self._columns:
            with self._errors(), engine().connect() as connection:
                alone = connection.execution_options(isolation_level="AUTOCOMMIT")
                _driver(alone).execute(f"VACUUM (ANALYZE) {self._table}")
            with self._transaction() as driver:
                self._own(driver, _HOLD)
                driver.execute(f"UPDATE {_TABLES}._state SET is_sound = true WHERE name = %s", [self.name])
            self._is_sound = True

    def _own(self, driver: _Driver, how: LiteralString) -> None:
        if driver.execute(how, {"name": self.name, "version": self.version}).fetchone() is None:
            raise Transient(f"another program wrote the table {self.name} of the share at the same time")

    @contextmanager
    def _transaction(self) -> Iterator[_Driver]:
        with self._errors(), engine().begin() as connection:
            yield _driver(connection)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            with translated():
                yield
        except errors.LockNotAvailable:
            raise
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            reason = type(error).__name__
            raise Transient(Sentence.database_silent(reason=reason), system=System.DATABASE) from None
        except errors.InsufficientPrivilege:
            raise Unusable(Sentence.database_denies()) from None
        except psycopg.Error as error:
            reason = type(error).__name__
            raise Conflict(f"the table {self.name} of the share cannot be read or written: {reason}") from None


def _driver(connection: Connection) -> _Driver:
    return cast(_Driver, connection.connection.driver_connection)


def _names(names: Iterable[str]) -> str:
    return ", ".join(f'"{each}"' for each in names)


def _column(field: pa.Field) -> str:
    return f'"{field.name}" {_TYPES[field.type]}'


def _same(one: pa.Field, other: pa.Field | None) -> bool:
    """Return whether a view can go on with a column."""
    return other is not None and one.type == other.type


def _about(metadata: Mapping[bytes, bytes] | None) -> str:
    text = (metadata or {}).get(b"description", b"").decode()
    return "'" + text.replace("'", "''") + "'"


def _csv(batch: pa.RecordBatch) -> bytes:
    written = pa.BufferOutputStream()
    csv.write_csv(batch, written, csv.WriteOptions(include_header=False))
    return bytes(written.getvalue())

"""Reads all that the database has of some archives, at one moment, to compare it with the store."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import sqlmodel
from sqlalchemy import Select, bindparam, exists, select
from sqlmodel import Session, SQLModel

from adapters.database.transactions import pages, read_first, reading
from models.archive.archive import ArchiveRow
from models.columns import table_of
from models.messages.notification import NotificationRow
from models.runs.receipt import VersionRow

Row = Mapping[str, Any]
Recorded = Mapping[type[SQLModel], Sequence[Row]]
"""The rows of an archive by table. Those of versions have `skeleton_sha256` in place of the skeleton."""

_ROWS_AT_ONCE = 1000
_SKELETONS_AT_ONCE = 4  # each may have 16 MiB


def recorded(references: Sequence[str], tables: Sequence[type[SQLModel]]) -> dict[str, Recorded]:
    """Return the rows of archives in some tables, by reference."""
    with reading() as session:
        return recorded_within(session, references, tables)


def recorded_within(
    session: Session, references: Sequence[str], tables: Sequence[type[SQLModel]]
) -> dict[str, Recorded]:
    """Do as `recorded`, in the caller's transaction."""
    found: dict[str, dict[type[SQLModel], list[Row]]] = {
        reference: {table: [] for table in tables} for reference in references
    }
    for page in pages(references):
        for table in tables:
            for row in _skeletons(session, page) if table is VersionRow else _rows(session, table, page, _ROWS_AT_ONCE):
                found[row["reference"]][table].append(row)
    return dict(found)


def of_no_archive(tables: Iterable[type[SQLModel]]) -> Iterator[tuple[str, str]]:
    """Yield each table that has rows of an archive that the database does not know, with its reference."""
    for its in map(table_of, tables):
        is_known = exists().where(table_of(ArchiveRow).c.reference == its.c.reference).correlate(its)
        if found := read_first(sqlmodel.select(its.c.reference).where(its.c.reference.is_not(None), ~is_known)):
            yield its.name, found


def key_columns(table: type[SQLModel]) -> list[str]:
    """Return the columns of a table's key but the reference."""
    keys = table_of(table).primary_key.columns.keys()
    return [name for name in keys if name != "reference"]


@cache
def _theirs(table: type[SQLModel]) -> Select[Any]:
    """Return the query, made once: a check of the store runs it for all objects."""
    columns, its = table_of(table), table_of(NotificationRow)
    if "reference" in columns.c:
        return select(columns).where(columns.c.reference.in_(bindparam("references", expanding=True)))
    found = select(columns, its.c.reference).join(its, its.c.message_id == columns.c.message_id)  # attempts at messages
    return found.where(its.c.reference.in_(bindparam("references", expanding=True)))


def _rows(session: Session, table: type[SQLModel], references: Sequence[str], at_once: int) -> Iterator[Row]:
    options = {"yield_per": at_once}
    found = session.connection().execute(_theirs(table), {"references": references}, execution_options=options)
    return map(dict, found.mappings())


def _skeletons(session: Session, references: Sequence[str]) -> Iterator[Row]:
    for row in _rows(session, VersionRow, references, _SKELETONS_AT_ONCE):
        yield {**row, "skeleton": None, "skeleton_sha256": hashlib.sha256(row["skeleton"]).hexdigest()}

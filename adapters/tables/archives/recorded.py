"""Reads all that the database has of some archives, at one moment, to compare it with the store."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, select
from sqlmodel import Session, SQLModel

from adapters.database.transactions import pages, reading
from models.columns import table_of
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


def key_columns(table: type[SQLModel]) -> list[str]:
    """Return the columns of a table's key but the reference."""
    keys = table_of(table).primary_key.columns.keys()
    return [name for name in keys if name != "reference"]


@cache
def _theirs(table: type[SQLModel]) -> Select[Any]:
    """Return the query, made once: a check of the store runs it for all objects."""
    columns = table_of(table)
    return select(columns).where(columns.c.reference.in_(bindparam("references", expanding=True)))


def _rows(session: Session, table: type[SQLModel], references: Sequence[str], at_once: int) -> Iterator[Row]:
    options = {"yield_per": at_once}
    found = session.connection().execute(_theirs(table), {"references": references}, execution_options=options)
    return map(dict, found.mappings())


def _skeletons(session: Session, references: Sequence[str]) -> Iterator[Row]:
    for row in _rows(session, VersionRow, references, _SKELETONS_AT_ONCE):
        yield {**row, "skeleton": None, "skeleton_sha256": hashlib.sha256(row["skeleton"]).hexdigest()}

"""Exports tables for data teams, as commands and pages do."""

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from adapters.lists.table_files import written
from models.access import CELLAR, Caller
from services.tables import opened


def exported(
    name: str | None = None, template: str | None = None, caller: Caller = CELLAR, ending: str = "parquet"
) -> bytes:
    """Return the file of a table."""
    table = opened(name, template, caller)
    return b"".join(written(ending, table.columns, table.batches))


def table(name: str | None = None, template: str | None = None, caller: Caller = CELLAR) -> pa.Table:
    """Return a table as its Parquet file has it."""
    return pq.read_table(io.BytesIO(exported(name, template, caller)))


def rows(name: str | None = None, template: str | None = None, caller: Caller = CELLAR) -> list[dict[str, Any]]:
    """Return the rows of a table, without the first columns."""
    found: list[dict[str, Any]] = table(name, template, caller).to_pylist()
    return [{key: value for key, value in each.items() if not key.startswith("_")} for each in found]

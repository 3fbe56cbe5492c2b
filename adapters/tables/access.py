"""Rows of the access log."""

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.database.transactions import insert_rows, writing
from adapters.settings.settings import settings
from models.access import AccessRow, UnsentAccessRow


def add(rows: Sequence[Mapping[str, Any]]) -> None:
    """Add rows in one commit, and note that they are to be sent if they are. Raises Transient if that fails."""
    with writing() as session:
        insert_rows(session, AccessRow, rows)
        if settings().access_log_url:
            insert_rows(session, UnsentAccessRow, [{"chain": row["chain"], "number": row["number"]} for row in rows])

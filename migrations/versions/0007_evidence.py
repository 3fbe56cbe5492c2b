"""Adds what was noted and is not in the store yet, and notes the rows that no earlier build has kept there."""

from datetime import UTC, date, datetime
from secrets import token_hex

import sqlalchemy
from alembic import op
from sqlalchemy import Column, String
from sqlmodel import SQLModel

import models.every_table  # noqa: F401 -- the tables whose rows are noted
from models.columns import Json, Moment

revision = "0007_evidence"
down_revision = "0006_links"
branch_labels = None
depends_on = None

_NOTED = (
    "access",
    "action",
    "batch",
    "batch_item",
    "letter",
    "missing_process",
    "notice",
    "refused",
    "saved_view",
    "settlement_report",
)
_AT_ONCE = 1000


def upgrade() -> None:
    noted = op.create_table(
        "noted",
        Column("id", String(32), primary_key=True),
        Column("at", Moment, nullable=False, index=True),
        Column("of", String(32), nullable=False),
        Column("row", Json, nullable=False),
    )
    connection, now = op.get_bind(), datetime.now(UTC)
    for name in _NOTED:
        there = {each["name"] for each in sqlalchemy.inspect(connection).get_columns(name)}
        columns = [each for each in SQLModel.metadata.tables[name].c if each.name in there]
        rows = connection.execute(sqlalchemy.select(*columns), execution_options={"yield_per": _AT_ONCE})
        for page in rows.mappings().partitions():
            about = {"at": now, "of": name}
            notes = [{"id": token_hex(16), **about, "row": {key: _text(each[key]) for key in each}} for each in page]
            connection.execute(noted.insert(), notes)


def _text(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value

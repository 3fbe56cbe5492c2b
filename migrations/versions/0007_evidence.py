"""Adds what was noted and is not in the store yet, and notes the rows that no earlier build has kept there."""

from datetime import UTC, date, datetime
from secrets import token_hex

import sqlalchemy
from alembic import op
from sqlalchemy import Column, Connection, Integer, String
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
    "missing_process",
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
    _add_times(connection)
    for name in _NOTED:
        there = {each["name"] for each in sqlalchemy.inspect(connection).get_columns(name)}
        columns = [each for each in SQLModel.metadata.tables[name].c if each.name in there]
        rows = connection.execute(sqlalchemy.select(*columns), execution_options={"yield_per": _AT_ONCE})
        for page in rows.mappings().partitions():
            notes = [
                {
                    "id": token_hex(16),
                    "at": each["at"] if name == "access" else now,
                    "of": name,
                    "row": {key: _text(each[key]) for key in each},
                }
                for each in page
            ]
            connection.execute(noted.insert(), notes)


def _add_times(connection: Connection) -> None:
    """Add the indexes by which an anchor finds what has changed, and the time of the last judgement of a document."""
    op.create_index("ix_run_ended_at", "run", ["ended_at"])
    op.create_index("ix_notification_attempt_attempted_at", "notification_attempt", ["attempted_at"])
    op.add_column("signed_document", Column("judged_at", Moment))
    typed = (Column("reference", String), Column("position", Integer), Column("judgements", Json))
    signed = sqlalchemy.table("signed_document", *typed, Column("judged_at", Moment))
    rows = connection.execute(sqlalchemy.select(signed), execution_options={"yield_per": _AT_ONCE})
    for reference, position, judgements, _ in rows:
        if judgements:
            its = signed.update().where(signed.c.reference == reference, signed.c.position == position)
            connection.execute(its.values(judged_at=datetime.fromisoformat(judgements[-1]["at"])))
    op.create_index("ix_signed_document_judged_at", "signed_document", ["judged_at"])


def _text(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value

"""Adds tombstones of erased archives, legal holds, and the digest by which other tables name an archive."""

from alembic import op
from sqlalchemy import Column, Date, Integer, String, text
from sqlmodel import AutoString

from models.columns import Json, Moment

revision = "0008_erasure"
down_revision = "0007_evidence"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("archive", Column("digest", String(64)))  # workers fill it in
    op.create_index("ix_archive_digest", "archive", ["digest"])
    op.add_column("archive", Column("due_action", String(16)))  # no rule of retention is known yet
    op.add_column("archive", Column("due_at", Moment))
    has_end = text("due_at IS NOT NULL")
    op.create_index("ix_archive_due", "archive", ["due_at"], sqlite_where=has_end, postgresql_where=has_end)
    op.create_table(
        "tombstone",
        Column("digest", String(64), primary_key=True),
        Column("batch_id", String(36), nullable=False, index=True),
        Column("ground", AutoString(), nullable=False),
        Column("erased_by", AutoString(), nullable=False),
        Column("confirmed_by", AutoString(), nullable=False),
        Column("erased_at", Moment, nullable=False, index=True),
        Column("ended_at", Moment),
        Column("lines", Json, nullable=False),
        Column("returned", Integer, nullable=False),
        Column("last_returned_at", Moment, index=True),
    )
    op.create_table(
        "tombstone_mark",
        Column("mark", String(64), primary_key=True),
        Column("digest", String(64), nullable=False, index=True),
    )
    op.create_table(
        "hold",
        Column("hold_id", String(32), primary_key=True),
        Column("reference", String(255), nullable=False, index=True),
        Column("why", AutoString(), nullable=False),
        Column("by", AutoString(), nullable=False),
        Column("at", Moment, nullable=False, index=True),
        Column("until", Date),
        Column("released_by", AutoString()),
        Column("released_at", Moment),
        Column("released_why", AutoString()),
    )

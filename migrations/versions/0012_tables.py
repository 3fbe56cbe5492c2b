"""Adds the columns of form tables: their names and types are kept for good."""

from alembic import op
from sqlalchemy import Boolean, Column, Integer, String, UniqueConstraint

revision = "0012_tables"
down_revision = "0011_content_root"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "form_column",
        Column("table_name", String(64), primary_key=True),
        Column("key", String(64), primary_key=True),
        Column("template_id", String, nullable=False),
        Column("element", String),
        Column("occurrence", Integer, nullable=False),
        Column("name", String(64), nullable=False),
        Column("number", Integer, nullable=False),
        Column("type", String(16)),
        Column("is_location", Boolean, nullable=False),
        Column("is_personal", Boolean, nullable=False),
        UniqueConstraint("table_name", "name"),
    )

"""Adds the content root of each version. A re-run of an archive fills it in, and `cellar rebuild`."""

from alembic import op
from sqlalchemy import Column, String

revision = "0011_content_root"
down_revision = "0010_ledger"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("version", Column("content_root", String(64)))

"""Adds the index by which the newest actions of people are found."""

from alembic import op

revision = "0009_activity"
down_revision = "0008_erasure"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_action_at", "action", ["at"])

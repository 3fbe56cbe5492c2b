"""Adds bulk re-runs and their lists of archives."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "bulk_rerun",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("filter", _JSON, nullable=False),
        sa.Column("plan", _JSON, nullable=False),
        sa.Column("planned", sa.Integer(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("flow_run_id", sa.String(length=36), nullable=True),
        sa.Column("drivers", sa.Integer(), nullable=False),
        sa.Column("actions", _JSON, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_bulk_rerun_state", "bulk_rerun", ["state"])
    op.create_index("ix_bulk_rerun_created_at", "bulk_rerun", ["created_at"])
    op.create_table(
        "bulk_rerun_item",
        sa.Column("bulk_id", sa.String(length=36), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("receipt_id", sa.String(length=64), nullable=True),
        sa.Column("was", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("skipped", sa.String(length=16), nullable=True),
        sa.Column("flow_run_id", sa.String(length=36), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("bulk_id", "position"),
    )
    op.create_index("ix_bulk_rerun_item_state", "bulk_rerun_item", ["state", "bulk_id", "position"])


def downgrade() -> None:
    op.drop_table("bulk_rerun_item")
    op.drop_table("bulk_rerun")

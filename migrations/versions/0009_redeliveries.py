"""Adds redeliveries with their lists, and what a message says of its next attempt after a redelivery."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(JSONB(), "postgresql")
_DUE, _PLANNED = "ix_redelivery_message_due", "ix_notification_planned_at"


def upgrade() -> None:
    op.create_table(
        "redelivery",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("filter", _JSON, nullable=False),
        sa.Column("plan", _JSON, nullable=False),
        sa.Column("planned", sa.Integer(), nullable=False),
        sa.Column("is_forced", sa.Boolean(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_by", sa.String(), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_redelivery_created_at", "redelivery", ["created_at"], unique=False)
    op.create_table(
        "redelivery_message",
        sa.Column("redelivery_id", sa.String(length=36), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("was", sa.String(length=16), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("redelivery_id", "position"),
    )
    op.create_index(_DUE, "redelivery_message", ["due_at", "redelivery_id", "position"], unique=False)
    op.add_column("notification", sa.Column("tried_before", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("notification", sa.Column("next_trigger", sa.String(length=16), nullable=True))
    op.add_column("notification", sa.Column("next_by", sa.String(), nullable=True))
    op.create_index(_PLANNED, "notification", ["planned_at"], unique=False)


def downgrade() -> None:
    op.drop_index(_PLANNED, "notification")
    for name in ("tried_before", "next_trigger", "next_by"):
        op.drop_column("notification", name)
    op.drop_table("redelivery_message")
    op.drop_table("redelivery")

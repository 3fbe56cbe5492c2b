"""Adds redeliveries with their lists, and what a message says of its next attempt after a redelivery."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_PLANNED = "ix_notification_planned_at"


def upgrade() -> None:
    op.add_column("notification", sa.Column("tried_before", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("notification", sa.Column("next_trigger", sa.String(length=16), nullable=True))
    op.add_column("notification", sa.Column("next_by", sa.String(), nullable=True))
    op.create_index(_PLANNED, "notification", ["planned_at"], unique=False)


def downgrade() -> None:
    op.drop_index(_PLANNED, "notification")
    for name in ("tried_before", "next_trigger", "next_by"):
        op.drop_column("notification", name)

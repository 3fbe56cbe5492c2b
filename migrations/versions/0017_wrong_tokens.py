"""Adds how many wrong tokens came from a network."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "wrong_tokens",
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("ix_wrong_tokens_ends_at", "wrong_tokens", ["ends_at"])


def downgrade() -> None:
    op.drop_table("wrong_tokens")

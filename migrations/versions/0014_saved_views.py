"""Adds saved views: searches of archives that people share by name."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_SHOWN = sa.text("ended_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "saved_view",
        sa.Column("view_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("query", sa.String(), nullable=False),
        sa.Column("saved_by", sa.String(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_by", sa.String(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("view_id"),
    )
    op.create_index(
        "ix_saved_view_shown", "saved_view", ["name"], unique=True, sqlite_where=_SHOWN, postgresql_where=_SHOWN
    )


def downgrade() -> None:
    op.drop_table("saved_view")

"""Adds who dismissed a refused delivery, when and why."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("refused", sa.Column("dismissed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("refused", sa.Column("dismissed_by", sa.String(), nullable=True))
    op.add_column("refused", sa.Column("dismissed_why", sa.String(), nullable=True))


def downgrade() -> None:
    for name in ("dismissed_why", "dismissed_by", "dismissed_at"):
        op.drop_column("refused", name)

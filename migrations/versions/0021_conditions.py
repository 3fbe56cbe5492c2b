"""Adds the conditions of archives and of the store, and when its objects were checked and anchored."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(JSONB(), "postgresql")
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "condition",
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("subject", sa.String(255), primary_key=True),
        sa.Column("code", sa.String(32), primary_key=True),
        sa.Column("since", _MOMENT, nullable=False),
        sa.Column("found_at", _MOMENT, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("values", _JSON, nullable=False),
    )
    op.create_table(
        "stored_object",
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("checked_at", _MOMENT, nullable=True),
        sa.Column("anchored_at", _MOMENT, nullable=True),
    )


def downgrade() -> None:
    op.drop_table("stored_object")
    op.drop_table("condition")

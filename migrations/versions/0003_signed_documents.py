"""Verdicts on signed documents."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "signed_document",
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column(
            "verdict",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("reference", "position"),
    )
    with op.batch_alter_table("signed_document") as batch_op:
        batch_op.create_index("ix_signed_document_outcome", ["outcome"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("signed_document") as batch_op:
        batch_op.drop_index("ix_signed_document_outcome")

    op.drop_table("signed_document")

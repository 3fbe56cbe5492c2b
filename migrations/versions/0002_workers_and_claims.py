"""Workers that live, and the flow runs that they have claimed."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "worker",
        sa.Column("worker_id", sa.String(length=36), nullable=False),
        sa.Column("beats", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("worker_id"),
    )
    op.create_table(
        "claim",
        sa.Column("flow_run_id", sa.String(length=36), nullable=False),
        sa.Column("worker_id", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("flow_run_id"),
    )
    with op.batch_alter_table("claim") as batch_op:
        batch_op.create_index("ix_claim_worker_id", ["worker_id"], unique=False)


def downgrade() -> None:
    op.drop_table("claim")
    op.drop_table("worker")

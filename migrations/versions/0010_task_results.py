"""Adds the results of Prefect's tasks, which lay in the store before."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "task_result",
        sa.Column("flow_run_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("flow_run_id", "name"),
    )


def downgrade() -> None:
    op.drop_table("task_result")

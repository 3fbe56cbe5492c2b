"""Adds the causes of failures, and the runs that wait."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_OF_RUN = (("cause_code", sa.String(64)), ("cause_error", sa.String(64)), ("cause_sentence", sa.String()))
_OF_RECEIPT = (
    *_OF_RUN,
    ("cause_task", sa.String(64)),
    ("cause_attempt", sa.Integer()),
    ("cause_since", sa.DateTime(timezone=True)),
)
_ADDED = {"archive": _OF_RECEIPT, "receipt": _OF_RECEIPT, "run": _OF_RUN}


def upgrade() -> None:
    for table, columns in _ADDED.items():
        for name, kind in columns:
            op.add_column(table, sa.Column(name, kind, nullable=True))
    op.create_index("ix_archive_cause_code", "archive", ["cause_code"])
    op.create_table(
        "waiting",
        sa.Column("flow_run_id", sa.String(length=36), nullable=False),
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("receipt_id", sa.String(length=64), nullable=False),
        sa.Column("waits_for", sa.String(length=16), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("flow_run_id"),
    )
    op.create_index("ix_waiting_receipt_id", "waiting", ["receipt_id"])
    op.create_index("ix_waiting_waits_for", "waiting", ["waits_for"])


def downgrade() -> None:
    op.drop_table("waiting")
    op.drop_index("ix_archive_cause_code", "archive")
    for table, columns in _ADDED.items():
        for name, _ in columns:
            op.drop_column(table, name)

"""Adds the indexes that the overview reads: what happened when, and what stands open."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_OF_ENDPOINT = ["endpoint_name", "planned_at", "message_id"]
_INDEXES: dict[str, tuple[str, list[str], str | None]] = {
    "ix_delivery_received_at": ("delivery", ["received_at"], None),
    "ix_receipt_completed_at": ("receipt", ["completed_at", "received_at"], None),
    "ix_run_failed": ("run", ["ended_at", "cause_code"], "state = 'Failed'"),
    "ix_archive_failed": ("archive", ["cause_code", "cause_task", "cause_since", "received_at"], "state = 'failed'"),
    "ix_refused_unreleased": ("refused", ["code", "receipt_id"], "released_at IS NULL"),
    "ix_discrepancy_standing": ("discrepancy", ["code", "discrepancy_id", "state"], "state != 'closed'"),
    "ix_discrepancy_event_at": ("discrepancy_event", ["at"], None),
    "ix_missing_process_opened_at": ("missing_process", ["opened_at"], None),
    "ix_notification_endpoint": ("notification", _OF_ENDPOINT, None),
    "ix_notification_delivered_at": ("notification", ["delivered_at"], None),
    "ix_notification_skipped": ("notification", ["planned_at"], "state = 'skipped'"),
    "ix_notification_undelivered": ("notification", [*_OF_ENDPOINT, "state"], "state IN ('pending', 'dead')"),
}


def upgrade() -> None:
    op.drop_index("ix_notification_endpoint_name", "notification")
    for name, (table, columns, condition) in _INDEXES.items():
        where: Any = sa.text(condition) if condition else None
        op.create_index(name, table, columns, unique=False, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    for name, (table, _, _) in _INDEXES.items():
        op.drop_index(name, table)
    op.create_index("ix_notification_endpoint_name", "notification", ["endpoint_name"], unique=False)

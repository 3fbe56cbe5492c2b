"""Marks versions from the future, and those that only another source than that of their process has sent."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0017"
branch_labels = None
depends_on = None

# The time of a version may be that of a later delivery, which says the same.
_FROM_FUTURE = {
    "sqlite": """
        UPDATE version SET is_from_future = true WHERE event_at > (
            SELECT strftime('%Y-%m-%d %H:%M:%f', max(received_at), '+1 day') FROM delivery
            WHERE delivery.reference = version.reference
        )
    """,
    "postgresql": """
        UPDATE version SET is_from_future = true WHERE event_at > (
            SELECT max(received_at) + interval '1 day' FROM delivery WHERE delivery.reference = version.reference
        )
    """,
}
_SET_ASIDE = """
    UPDATE version SET is_set_aside = true WHERE receipt_id IN (
        SELECT its.receipt_id FROM version AS its
        JOIN receipt ON receipt.receipt_id = its.receipt_id
        JOIN version AS first ON first.reference = its.reference AND first.version = 1
        JOIN receipt AS owning ON owning.receipt_id = first.receipt_id
        WHERE receipt.source <> owning.source AND NOT EXISTS (
            SELECT 1 FROM delivery WHERE delivery.receipt_id = its.receipt_id AND delivery.source = owning.source
        )
    )
"""


def upgrade() -> None:
    for name in ("is_from_future", "is_set_aside"):
        op.add_column("version", sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
    _index_deliveries("receipt_id", "source")
    op.execute(_FROM_FUTURE[op.get_bind().dialect.name])
    op.execute(_SET_ASIDE)


def downgrade() -> None:
    for name in ("is_set_aside", "is_from_future"):
        op.drop_column("version", name)
    _index_deliveries("receipt_id")


def _index_deliveries(*columns: str) -> None:
    op.drop_index("ix_delivery_receipt_id", "delivery")
    op.create_index("ix_delivery_receipt_id", "delivery", columns)

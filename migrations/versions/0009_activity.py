"""Adds outages of endpoints, and indexes: of actions and released holds by time, attempts by endpoint, deliveries by
source.
"""

from alembic import op
from sqlalchemy import Column, String, text

from models.columns import Json

revision = "0009_activity"
down_revision = "0008_erasure"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_action_at", "action", ["at"])
    op.create_index("ix_hold_released_at", "hold", ["released_at"])
    op.add_column("endpoint", Column("outages", Json, nullable=False, server_default="[]"))
    op.add_column("notification_attempt", Column("endpoint_name", String(64)))  # attempts so far have none
    named, its = text("endpoint_name IS NOT NULL"), ["endpoint_name", "attempted_at"]
    op.create_index("ix_attempt_endpoint", "notification_attempt", its, sqlite_where=named, postgresql_where=named)
    op.create_index("ix_delivery_source", "delivery", ["source", "received_at"])

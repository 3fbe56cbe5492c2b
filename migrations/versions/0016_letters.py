"""Replaces notices and letters by what each address of people was told last. Each hears of all that is open again.

No program but the flow `notify-people` needs them: that of 1.0.0 fails where it still runs, and tells nobody.
"""

from alembic import op
from sqlalchemy import Column, DateTime, String

from models.columns import Json

revision = "0016_letters"
down_revision = "0015_nulls"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("letter", "notice"):
        op.execute(f"DROP TABLE IF EXISTS {table}")
    op.create_table(
        "people_address",
        Column("address", String(64), primary_key=True),
        Column("told", Json, nullable=False),
        Column("told_at", DateTime(timezone=True)),
        Column("next_at", DateTime(timezone=True), nullable=False),
        Column("failure", String),
        Column("failing_since", DateTime(timezone=True)),
    )

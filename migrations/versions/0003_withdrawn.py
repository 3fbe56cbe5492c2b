"""Keeps when a person took a dismissal back, and at which byte a body is refused."""

import sqlalchemy
from alembic import op

from models.columns import Json, Moment

revision = "0003_withdrawn"
down_revision = "0002_templates"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("refused", "missing_process"):
        op.add_column(table, sqlalchemy.Column("withdrawn_at", Moment))
    op.add_column("refused", sqlalchemy.Column("values", Json))

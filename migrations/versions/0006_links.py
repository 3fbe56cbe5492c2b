"""Adds when secrets, tokens and public links were used last."""

import sqlalchemy
from alembic import op

from models.columns import Moment

revision = "0006_links"
down_revision = "0005_logins"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "last_use",
        sqlalchemy.Column("kind", sqlalchemy.String(16), primary_key=True),
        sqlalchemy.Column("name", sqlalchemy.String(255), primary_key=True),
        sqlalchemy.Column("at", Moment, nullable=False),
        sqlalchemy.Column("times", sqlalchemy.Integer, nullable=False),
    )

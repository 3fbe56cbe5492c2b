"""Drops the shapes of archives and of templates, which no released program has."""

from alembic import op

revision = "0017_shapes_gone"
down_revision = "0016_letters"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DROP TABLE shape")
    op.execute("DROP TABLE shape_member")

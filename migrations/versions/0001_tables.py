"""The schema of 2.0.0, which `migrations/schema.py` makes of the models. A revision is named like its file.

A revision that follows changes a database of the release before; an empty one is made whole, and has the newest.
"""

revision = "0001_tables"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change nothing: no database is older."""

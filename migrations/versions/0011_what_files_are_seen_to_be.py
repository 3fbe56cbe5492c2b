"""What each file was seen to be when it came, beside what it was declared as.

Files that are there get it with the next run of their archive, or with `cellar rebuild`: the store has it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_COLUMNS = ("looks_like", "infection")


def upgrade() -> None:
    with op.batch_alter_table("file") as batch_op:
        for name in _COLUMNS:
            batch_op.add_column(sa.Column(name, sa.String(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("file") as batch_op:
        for name in _COLUMNS:
            batch_op.drop_column(name)

"""Lets one flow run have a row for each receipt, since an import archives many."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _identify_runs_by("flow_run_id", "attempt", "receipt_id")


def downgrade() -> None:
    op.execute(sa.text("DELETE FROM run WHERE trigger = 'import'"))
    _identify_runs_by("flow_run_id", "attempt")


def _identify_runs_by(*columns: str) -> None:
    if op.get_context().dialect.name == "postgresql":
        op.drop_constraint("run_pkey", "run", type_="primary")
        op.create_primary_key("run_pkey", "run", list(columns))
        return
    # SQLite cannot change a key in place. Columns and indexes are read, since other revisions may have added some.
    found = sa.Table("run", sa.MetaData(), autoload_with=op.get_bind())
    kept = [_copied(each) for each in found.columns]
    copied = sa.Table("run", sa.MetaData(), *kept, sa.PrimaryKeyConstraint(*columns))
    for index in found.indexes:
        sa.Index(index.name, *(copied.c[each.name] for each in index.columns), unique=index.unique)
    with op.batch_alter_table("run", recreate="always", copy_from=copied):
        pass


def _copied(column: sa.Column[object]) -> sa.Column[object]:
    return sa.Column(column.name, column.type, nullable=column.nullable, server_default=column.server_default)

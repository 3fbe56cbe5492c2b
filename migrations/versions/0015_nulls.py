"""A missing value of JSON is NULL: rows that a rebuild brought back said `null`."""

from alembic import op

revision = "0015_nulls"
down_revision = "0014_shapes"
branch_labels = None
depends_on = None

_COLUMNS = {
    **dict.fromkeys(("receipt", "run", "archive"), "cause_values"),
    **dict.fromkeys(("refused", "discrepancy", "endpoint", "notification", "notification_attempt"), "values"),
    "batch_item": "values",
}
_IS_NULL = """UPDATE {table} SET "{column}" = NULL WHERE "{column}" = 'null'"""


def upgrade() -> None:
    for table, column in (*_COLUMNS.items(), ("archive", "read_on")):
        op.execute(_IS_NULL.format(table=table, column=column))

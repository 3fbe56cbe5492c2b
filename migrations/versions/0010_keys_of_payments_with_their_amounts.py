"""What an attempt at a payment says for itself, beside what rows of reports may have of it.

Attempts that took no money come with the next run of their archive, or with `cellar rebuild`. Until then those that are
there say what their payment says, as they did before.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_COLUMNS: dict[str, sa.types.TypeEngine[Any]] = {
    "amount_minor": sa.BigInteger(),
    "currency": sa.String(),
    "standing": sa.String(length=16),
    "paid_on": sa.Date(),
    "instalments": sa.Integer(),
    "first_minor": sa.BigInteger(),
    "periodical_minor": sa.BigInteger(),
}


def upgrade() -> None:
    with op.batch_alter_table("payment_key") as batch_op:
        for name, type_ in _COLUMNS.items():
            batch_op.add_column(sa.Column(name, type_, nullable=True))
    key, payment = (
        sa.table(name, *map(sa.column, ("reference", "payment_id", *_COLUMNS))) for name in ("payment_key", "payment")
    )
    is_its = (payment.c.reference == key.c.reference, payment.c.payment_id == key.c.payment_id)
    said = {name: sa.select(payment.c[name]).where(*is_its).scalar_subquery() for name in _COLUMNS}
    op.execute(key.update().values(said))
    with op.batch_alter_table("payment_key") as batch_op:
        batch_op.alter_column("standing", existing_type=_COLUMNS["standing"], nullable=False)


def downgrade() -> None:
    with op.batch_alter_table("payment_key") as batch_op:
        for name in _COLUMNS:
            batch_op.drop_column(name)

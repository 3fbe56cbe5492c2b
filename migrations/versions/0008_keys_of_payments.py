"""What rows of reports may have of the other attempts at a payment.

It follows from the store: for archives of before, `cellar rebuild` or a run makes it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_FINGERPRINTS = ("cguid_fingerprint", "authorisation_fingerprint")


def upgrade() -> None:
    op.create_table(
        "payment_key",
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("payment_id", sa.String(length=32), nullable=False),
        *(sa.Column(name, sa.String(length=64), nullable=True) for name in _FINGERPRINTS),
        sa.Column("card_last4", sa.String(length=4), nullable=True),
        sa.PrimaryKeyConstraint("reference", "position"),
    )
    for name in _FINGERPRINTS:
        op.create_index(f"ix_payment_key_{name}", "payment_key", [name])


def downgrade() -> None:
    op.drop_table("payment_key")

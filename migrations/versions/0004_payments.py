"""Payments with what they are matched by, discrepancies with their history, settlements.

Payments and discrepancies follow from the store: those of before are made again by `cellar rebuild`, or by a run.
"""

import sqlalchemy as sa
from alembic import op

from models.columns import Moment

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_PAYMENT = (
    "payment_id",
    "card_last4",
    "cguid_fingerprint",
    "authorisation_fingerprint",
    "attempts",
    "paid_on",
    "instalments",
    "first_minor",
    "periodical_minor",
)
_TABLES = ("settlement_candidate", "settlement_entry", "settlement_report", "discrepancy_event", "discrepancy")
_INDEXES = {
    "payment": ("payment_id", "cguid_fingerprint", "authorisation_fingerprint", "paid_on"),
    "discrepancy": ("reference", "code", "state"),
    "settlement_entry": (
        "report_id",
        "settled_on",
        "cguid_fingerprint",
        "authorisation_fingerprint",
        "match",
        "reference",
        "payment_id",
    ),
}


def upgrade() -> None:
    with op.batch_alter_table("payment") as batch_op:
        batch_op.add_column(sa.Column("payment_id", sa.String(length=32), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("card_last4", sa.String(length=4), nullable=True))
        batch_op.add_column(sa.Column("cguid_fingerprint", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("authorisation_fingerprint", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("attempts", sa.Integer(), nullable=False, server_default="1"))
        batch_op.add_column(sa.Column("paid_on", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("instalments", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("first_minor", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("periodical_minor", sa.BigInteger(), nullable=True))
    with op.batch_alter_table("payment") as batch_op:
        for name in ("payment_id", "attempts"):
            batch_op.alter_column(name, server_default=None)
    op.drop_table("discrepancy")
    op.create_table(
        "discrepancy",
        sa.Column("discrepancy_id", sa.String(length=32), nullable=False),
        sa.Column("reference", sa.String(length=255), nullable=True),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("transaction_id", sa.String(), nullable=True),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("payment_id", sa.String(length=32), nullable=True),
        sa.Column("expected", sa.String(), nullable=False),
        sa.Column("found", sa.String(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("discrepancy_id"),
    )
    op.create_table(
        "discrepancy_event",
        sa.Column("discrepancy_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("by", sa.String(), nullable=True),
        sa.Column("why", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("discrepancy_id", "number"),
    )
    op.create_table(
        "settlement_report",
        sa.Column("report_id", sa.String(length=64), nullable=False),
        sa.Column("imported_at", Moment(), nullable=False),
        sa.Column("covers_from", sa.Date(), nullable=True),
        sa.Column("covers_to", sa.Date(), nullable=True),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("is_judged", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("report_id"),
    )
    op.create_table(
        "settlement_entry",
        sa.Column("entry_id", sa.String(length=32), nullable=False),
        sa.Column("report_id", sa.String(length=64), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("settled_on", sa.Date(), nullable=False),
        sa.Column("paid_on", sa.Date(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("fee_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("cguid_fingerprint", sa.String(length=64), nullable=True),
        sa.Column("authorisation_fingerprint", sa.String(length=64), nullable=True),
        sa.Column("card_last4", sa.String(length=4), nullable=True),
        sa.Column("instalment", sa.Integer(), nullable=True),
        sa.Column("instalments", sa.Integer(), nullable=True),
        sa.Column("match", sa.String(length=16), nullable=False),
        sa.Column("reference", sa.String(length=255), nullable=True),
        sa.Column("payment_id", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("entry_id"),
    )
    op.create_table(
        "settlement_candidate",
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("reference", "fingerprint"),
    )
    for table, columns in _INDEXES.items():
        for column in columns:
            op.create_index(f"ix_{table}_{column}", table, [column])


def downgrade() -> None:
    for table in _TABLES:
        op.drop_table(table)
    for column in _INDEXES["payment"]:
        op.drop_index(f"ix_payment_{column}", "payment")
    with op.batch_alter_table("payment") as batch_op:
        for added in _PAYMENT:
            batch_op.drop_column(added)
    op.create_table(
        "discrepancy",
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("transaction_id", sa.String(), nullable=True),
        sa.Column("expected", sa.String(), nullable=False),
        sa.Column("found", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("reference", "position"),
    )
    op.create_index("ix_discrepancy_code", "discrepancy", ["code"])

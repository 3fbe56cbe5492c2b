"""The ledger: database views of payments for data teams. `docs/ledger.md` describes each column."""

from sqlalchemy import BigInteger, Column, Date, Integer, MetaData, String, Table

from models.columns import Moment

# A view, so it has metadata of its own: a migration creates it by hand.
LEDGER = Table(
    "payment_ledger",
    MetaData(),
    Column("reference", String, nullable=False),
    Column("position", Integer, nullable=False),
    Column("process_number", BigInteger),
    Column("template_id", String),
    Column("version", Integer),
    Column("payment_id", String, nullable=False),
    Column("transaction_id", String),
    Column("session_id", String),
    Column("type", String),
    Column("status", String),
    Column("amount_minor", BigInteger),
    Column("currency", String),
    Column("standing", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("paid_on", Date),
    Column("settled_minor", BigInteger),
    Column("settled_first_on", Date),
    Column("settled_last_on", Date),
    Column("received_at", Moment, nullable=False),
    Column("completed_at", Moment),
    Column("discrepancies", String),
    Column("refunded_minor", BigInteger),
    Column("charged_back_minor", BigInteger),
    Column("revenue_minor", BigInteger),
    Column("source", String, nullable=False),
)

DAILY_TOTALS = Table(
    "payment_daily_totals",
    MetaData(),
    Column("paid_on", Date),
    Column("currency", String),
    Column("standing", String, nullable=False),
    Column("payments", BigInteger, nullable=False),
    Column("amount_minor", BigInteger),
    Column("refunded_minor", BigInteger),
    Column("charged_back_minor", BigInteger),
    Column("revenue_minor", BigInteger),
    Column("source", String, nullable=False),
)

"""The ledger, a view that data teams read, and how much of the discrepancies' history the store has.

Both databases hold on to the columns that a view reads: a later migration that changes one of them drops the views
before it and makes them again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_BILLION = 1_000_000_000
_MOST_BILLIONS = (1 << 63) // _BILLION

_LEDGER = """
CREATE VIEW payment_ledger AS
SELECT
    p.reference,
    p.position,
    a.process_number,
    a.template_id,
    (SELECT v.version FROM version v WHERE v.receipt_id = a.current_receipt_id) AS version,
    p.payment_id,
    p.transaction_id,
    p.session_id,
    p.type,
    p.status,
    p.amount_minor,
    p.currency,
    CASE
        WHEN p.standing IN ('charged', 'held', 'unknown')
            AND EXISTS (SELECT 1 FROM settlement_entry e WHERE {settles})
        THEN 'settled'
        ELSE p.standing
    END AS standing,
    p.attempts,
    p.paid_on,
    (
        SELECT CASE WHEN min(e.currency) = p.currency AND max(e.currency) = p.currency THEN {sum_of_entries} END
        FROM settlement_entry e WHERE {settles}
    ) AS settled_minor,
    (SELECT min(e.settled_on) FROM settlement_entry e WHERE {settles}) AS settled_first_on,
    (SELECT max(e.settled_on) FROM settlement_entry e WHERE {settles}) AS settled_last_on,
    a.received_at,
    a.completed_at,
    (
        SELECT {joined}
        FROM (
            SELECT DISTINCT d.code
            FROM discrepancy d
            WHERE d.reference = p.reference AND d.payment_id = p.payment_id AND d.state = 'open'
            ORDER BY d.code
        ) found
    ) AS discrepancies
FROM payment p
JOIN archive a ON a.reference = p.reference
"""
_SETTLES = """e.payment_id = p.payment_id AND e.kind = 'charge' AND e."match" IN ('cguid', 'authorisation')"""

_DAILY_TOTALS = """
CREATE VIEW payment_daily_totals AS
SELECT paid_on, currency, standing, count(*) AS payments, {sum_of_payments} AS amount_minor
FROM payment_ledger
GROUP BY paid_on, currency, standing
"""


def upgrade() -> None:
    op.create_table(
        "discrepancy_log",
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.Column("kept", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("reference"),
    )
    is_postgres = op.get_bind().dialect.name == "postgresql"
    total = _postgres_sum if is_postgres else _sqlite_sum
    joined = "string_agg(found.code, ',' ORDER BY found.code)" if is_postgres else "group_concat(found.code, ',')"
    op.execute(_LEDGER.format(settles=_SETTLES, sum_of_entries=total("e.amount_minor"), joined=joined))
    op.execute(_DAILY_TOTALS.format(sum_of_payments=total("amount_minor")))


def downgrade() -> None:
    op.execute("DROP VIEW payment_daily_totals")
    op.execute("DROP VIEW payment_ledger")
    op.drop_table("discrepancy_log")


def _postgres_sum(column: str) -> str:
    """A sum that is null beyond 64 bits, where another would fail the whole query."""
    return f"CASE WHEN abs(sum({column})) < {_MOST_BILLIONS * _BILLION} THEN CAST(sum({column}) AS bigint) END"


def _sqlite_sum(column: str) -> str:
    """The same, of numbers that SQLite adds up without an overflow: billions, and what is left of each."""
    billions = f"(sum({column} / {_BILLION}) + sum({column} % {_BILLION}) / {_BILLION})"
    whole = f"{billions} * {_BILLION} + sum({column} % {_BILLION}) % {_BILLION}"
    return f"CASE WHEN abs({billions}) < {_MOST_BILLIONS} THEN {whole} END"

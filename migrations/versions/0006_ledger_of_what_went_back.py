"""The ledger tells what went back to those who paid.

The new columns stand at the end of the views: Postgres adds them there in place, so that what others have built on the
views, and were allowed to read, stays.
"""

from collections.abc import Mapping

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_BILLION = 1_000_000_000
_MOST_BILLIONS = (1 << 63) // _BILLION

_LEDGER = """
{create} payment_ledger AS
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
    ) AS discrepancies{taken_back}
FROM payment p
JOIN archive a ON a.reference = p.reference
"""
_MATCHED = """e.payment_id = p.payment_id AND e.kind = '{kind}' AND e."match" IN ('cguid', 'authorisation')"""
_KINDS = {"refunded_minor": "refund", "charged_back_minor": "chargeback"}

_TAKEN_BACK = """,
    (
        SELECT CASE
            WHEN count(*) = 0 THEN 0
            WHEN min(e.currency) = p.currency AND max(e.currency) = p.currency THEN {sum_of_entries}
        END
        FROM settlement_entry e WHERE {takes_back}
    ) AS {name}"""
_DAILY_TOTALS = """
{create} payment_daily_totals AS
SELECT paid_on, currency, standing, count(*) AS payments, {sum_of_payments} AS amount_minor{taken_back}
FROM payment_ledger
GROUP BY paid_on, currency, standing
"""


def upgrade() -> None:
    if _is_postgres():
        _create("CREATE OR REPLACE VIEW", _KINDS)
    else:
        _drop()
        _create("CREATE VIEW", _KINDS)


def downgrade() -> None:
    _drop()
    _create("CREATE VIEW", {})


def _is_postgres() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _drop() -> None:
    op.execute("DROP VIEW payment_daily_totals")
    op.execute("DROP VIEW payment_ledger")


def _create(create: str, kinds: Mapping[str, str]) -> None:
    """Make the views, with a column for each kind of row that takes back."""
    total = _postgres_sum if _is_postgres() else _sqlite_sum
    joined = "string_agg(found.code, ',' ORDER BY found.code)" if _is_postgres() else "group_concat(found.code, ',')"
    sum_of_entries = total("e.amount_minor")
    columns = [
        _TAKEN_BACK.format(name=name, takes_back=_MATCHED.format(kind=kind), sum_of_entries=sum_of_entries)
        for name, kind in kinds.items()
    ]
    op.execute(
        _LEDGER.format(
            create=create,
            settles=_MATCHED.format(kind="charge"),
            sum_of_entries=sum_of_entries,
            joined=joined,
            taken_back="".join(columns),
        )
    )
    totals = "".join(f", {total(name)} AS {name}" for name in kinds)
    op.execute(_DAILY_TOTALS.format(create=create, sum_of_payments=total("amount_minor"), taken_back=totals))


def _postgres_sum(column: str) -> str:
    """A sum that is null beyond 64 bits, where another would fail the whole query."""
    return f"CASE WHEN abs(sum({column})) < {_MOST_BILLIONS * _BILLION} THEN CAST(sum({column}) AS bigint) END"


def _sqlite_sum(column: str) -> str:
    """The same, of numbers that SQLite adds up without an overflow: billions, and what is left of each."""
    billions = f"(sum({column} / {_BILLION}) + sum({column} % {_BILLION}) / {_BILLION})"
    whole = f"{billions} * {_BILLION} + sum({column} % {_BILLION}) % {_BILLION}"
    return f"CASE WHEN abs({billions}) < {_MOST_BILLIONS} THEN {whole} END"

"""Creates the views of the ledger, `payment_ledger` and `payment_daily_totals`.

Null means that a number is unknown or beyond 64 bits. `docs/ledger.md` describes each column.
"""

from sqlalchemy import Connection

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
    {settled_minor} AS settled_minor,
    (SELECT min(e.settled_on) FROM settlement_entry e WHERE {settles}) AS settled_first_on,
    (SELECT max(e.settled_on) FROM settlement_entry e WHERE {settles}) AS settled_last_on,
    a.received_at,
    a.completed_at,
    (
        SELECT {joined}
        FROM (
            SELECT DISTINCT d.code
            FROM discrepancy d
            WHERE d.reference = p.reference AND d.payment_id = p.payment_id AND {is_open}
            ORDER BY d.code
        ) found
    ) AS discrepancies,
    {refunded_minor} AS refunded_minor,
    {charged_back_minor} AS charged_back_minor,
    {revenue} AS revenue_minor,
    a.source
FROM payment p
JOIN archive a ON a.reference = p.reference
"""
_MATCHED = """e.payment_id = p.payment_id AND e.kind = '{kind}' AND e."match" IN ('cguid', 'authorisation')"""
_SUM = """(
        SELECT CASE
            {of_none}WHEN min(e.currency) = p.currency AND max(e.currency) = p.currency THEN {sum_of_entries}
        END
        FROM settlement_entry e WHERE {matched}
    )"""
_REVENUE = """(
        SELECT CASE
            WHEN abs(1.0 * m.taken - m.refunded - m.charged_back) < {most}
            THEN m.taken - m.refunded - m.charged_back
        END
        FROM (
            SELECT
                CASE
                    WHEN p.standing = 'charged' THEN p.amount_minor
                    WHEN p.standing IN ('held', 'unknown') THEN {settled_minor}
                END AS taken,
                {refunded_minor} AS refunded,
                {charged_back_minor} AS charged_back
        ) m
    )"""
_DAILY_TOTALS = """
CREATE VIEW payment_daily_totals AS
SELECT paid_on, currency, standing, count(*) AS payments, {sum_of_payments} AS amount_minor,
    {refunded_minor} AS refunded_minor, {charged_back_minor} AS charged_back_minor,
    {revenue_minor} AS revenue_minor, source
FROM payment_ledger
GROUP BY paid_on, currency, standing, source
"""


def create_views(database: Connection) -> None:
    """Create the views in the SQL dialect of the database."""
    is_postgres = database.dialect.name == "postgresql"
    total = _postgres_sum if is_postgres else _sqlite_sum
    joined = "string_agg(found.code, ',' ORDER BY found.code)" if is_postgres else "group_concat(found.code, ',')"
    # SQLite has no statistics of states, and would read all open discrepancies for each row: a sign hides their index.
    is_open = "d.state = 'open'" if is_postgres else "+d.state = 'open'"
    sums = {
        "settled_minor": _sum_of("charge", total("e.amount_minor"), of_none=""),
        "refunded_minor": _sum_of("refund", total("e.amount_minor"), of_none="WHEN count(*) = 0 THEN 0 "),
        "charged_back_minor": _sum_of("chargeback", total("e.amount_minor"), of_none="WHEN count(*) = 0 THEN 0 "),
    }
    revenue = _REVENUE.format(most=_MOST_BILLIONS * _BILLION, **sums)
    words = {"settles": _MATCHED.format(kind="charge"), "joined": joined, "is_open": is_open}
    database.exec_driver_sql(_LEDGER.format(**words, revenue=revenue, **sums))
    back = {name: _if_all_are_known(name, total(name)) for name in ("refunded_minor", "charged_back_minor")}
    totals = {"sum_of_payments": total("amount_minor"), "revenue_minor": total("revenue_minor")}
    database.exec_driver_sql(_DAILY_TOTALS.format(**totals, **back))


def _sum_of(kind: str, sum_of_entries: str, *, of_none: str) -> str:
    return _SUM.format(matched=_MATCHED.format(kind=kind), sum_of_entries=sum_of_entries, of_none=of_none)


def _if_all_are_known(column: str, sum_: str) -> str:
    """Return SQL for a sum that is null if any of its numbers is null. `sum` alone would skip that number."""
    return f"CASE WHEN count({column}) = count(*) THEN {sum_} END"


def _postgres_sum(column: str) -> str:
    """Return SQL for a sum that is null beyond 64 bits, where a plain sum would fail the whole query."""
    return f"CASE WHEN abs(sum({column})) < {_MOST_BILLIONS * _BILLION} THEN CAST(sum({column}) AS bigint) END"


def _sqlite_sum(column: str) -> str:
    """Return the same for SQLite: it adds up billions and remainders apart, which cannot overflow."""
    billions = f"(sum({column} / {_BILLION}) + sum({column} % {_BILLION}) / {_BILLION})"
    whole = f"{billions} * {_BILLION} + sum({column} % {_BILLION}) % {_BILLION}"
    return f"CASE WHEN abs({billions}) < {_MOST_BILLIONS} THEN {whole} END"

"""Multiplies the rows of one processed archive in an SQLite database, with keys and times of their own.

Of what an archive has several of, the first is kept: a row in each table, and its facets.
"""

import sqlite3
from pathlib import Path

_SPREAD = {
    "authorisation_fingerprint",
    "cguid_fingerprint",
    "current_receipt_id",
    "delivery_id",
    "discrepancy_id",
    "event_id",
    "flow_run_id",
    "message_id",
    "payment_id",
    "process_id",
    "receipt_id",
    "session_id",
    "sha256",
    "transaction_id",
    "transaction_number",
}
"""Columns of hexadecimal keys. Copies get them evenly spread, so that new keys come in between, as real ones do."""
_TIMES = {"at", "attempted_at", "completed_at", "created_at", "ended_at", "event_at", "paid_on", "planned_at"}
_TIMES |= {"received_at", "started_at", "submitted_at"}
_POSITIONS = {"position", "session_position"}
_OWN = ("process_number", "transaction_number", "session", "signer")
"""Kinds of facets that each archive has for itself; the others are shared by all."""
_APART_S = 30
_SLOTS_A_SECOND = 256 * 1000  # domain/search.py


def multiply(database: Path, count: int) -> int:
    """Add copies of the one archive until there are `count`, 30 s apart, and return how many rows there are then.

    The database must not be in use. Indexes are made again at the end, which is faster than to keep them.
    """
    connection = sqlite3.connect(database, isolation_level=None)
    for each in ("PRAGMA synchronous=OFF", "PRAGMA journal_mode=MEMORY", "PRAGMA cache_size=-400000"):
        connection.execute(each)
    found = "SELECT name, sql FROM sqlite_master WHERE type = ? AND sql IS NOT NULL AND name NOT LIKE 'search_text%'"
    triggers = connection.execute(found, ("trigger",)).fetchall()
    indexes = connection.execute(found, ("index",)).fetchall()
    for kind, made in (("TRIGGER", triggers), ("INDEX", indexes)):
        for name, _ in made:
            connection.execute(f"DROP {kind} {name}")
    connection.execute("BEGIN")
    for name, columns in _tables(connection).items():
        _copy(connection, name, columns, count)
    connection.execute("COMMIT")
    connection.execute("INSERT INTO search_text (search_text) VALUES ('rebuild')")
    for _, made_by in (*indexes, *triggers):
        connection.execute(made_by)
    connection.execute("PRAGMA journal_mode=WAL")
    rows: int = sum(connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in _tables(connection))
    connection.close()
    return rows


def _tables(connection: sqlite3.Connection) -> dict[str, list[str]]:
    """Return the columns of the tables that have a row of an archive."""
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    columns = {each: [row[1] for row in connection.execute(f"PRAGMA table_info({each})")] for each in names}
    return {
        name: its
        for name, its in columns.items()
        if ("reference" in its or name == "search_facet") and name not in ("lease", "waiting")
    }


def _copy(connection: sqlite3.Connection, name: str, columns: list[str], count: int) -> None:
    numbers = f"WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {count - 1})"
    firsts = [f"{each} = 0" for each in columns if each in _POSITIONS]
    wanted = f"WHERE {' AND '.join(firsts)}" if firsts else ""
    values = ", ".join(_value(name, each, count) for each in columns)
    connection.execute(f"CREATE TEMP TABLE one AS SELECT * FROM {name} {wanted}")
    listed = ", ".join(f'"{each}"' for each in columns)
    connection.execute(f"INSERT INTO {name} ({listed}) {numbers} SELECT {values} FROM number, one")
    connection.execute("DROP TABLE one")


def _value(table: str, column: str, count: int) -> str:
    """Return the SQL expression of a column in the `n`th copy."""
    prefix = f"printf('%08x', n * {2**32 // count})"
    earlier_s = f"(({count} - n) * {_APART_S})"
    made = {
        "reference": f"{prefix} || '-grown'",
        "process_number": "process_number + n",
        "entry_id": f"entry_id - {earlier_s} * {_SLOTS_A_SECOND}",
        "facet": f"CASE WHEN kind IN {_OWN} THEN facet / 2 + n * 7919 ELSE facet END",
    }
    made |= {each: f"{prefix} || substr({each}, 9)" for each in _SPREAD}
    made |= {
        each: f"strftime('%Y-%m-%d %H:%M:%f', {each}, '-' || {earlier_s} || ' seconds') || '000'" for each in _TIMES
    }
    if (table, column) == ("search_entry", "id"):
        return f"id - {earlier_s} * {_SLOTS_A_SECOND}"
    return made.get(column, f'"{column}"')

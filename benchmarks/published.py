"""Measures publishing on Postgres: a full one, one of a hundredth of the archives, and a question to lake and share.

    python -m benchmarks.published --archives 1000000

The database makes the archives itself, each with 40 fields and a payment. The question: leases of Haifa with a failed
payment, by month. What is read of cellar's own tables is counted by Postgres, in rows and in pages of 8 KiB.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import deltalake
import duckdb
import psycopg

from benchmarks import machine
from benchmarks.postgres import postgres

_AT_ONCE = 50_000
_FILL = """
INSERT INTO receipt (receipt_id, reference, state, received_at, size_bytes, source)
  SELECT lpad(to_hex(n), 64, '0'), {r}, 'completed', {at}, 20000, 'default' FROM {those};
INSERT INTO archive (reference, state, received_at, source, template_id, current_receipt_id, process_number)
  SELECT {r}, 'completed', {at}, 'default', 'lease', lpad(to_hex(n), 64, '0'), n FROM {those};
INSERT INTO version (receipt_id, reference, version, received_at, skeleton, is_from_future, is_set_aside)
  SELECT lpad(to_hex(n), 64, '0'), {r}, 1, {at}, '', false, false FROM {those};
INSERT INTO session (reference, position, id, submitted_at, recipient, submission_details)
  SELECT {r}, 0, 's', {at}, '{{}}', '{{}}' FROM {those};
INSERT INTO payment (reference, position, payment_id, session_id, transaction_id, standing, attempts, amount_minor)
  SELECT {r}, 0, md5(n::text), 's', n, CASE WHEN n % 20 = 7 THEN 'failed' ELSE 'verified' END, 1, n FROM {those};
INSERT INTO form_field (reference, position, id, type, value, meta)
  SELECT {r}, p, CASE p WHEN 4 THEN 'CITY' ELSE 'FIELD_' || p END, CASE p % 8 WHEN 7 THEN 'location' ELSE 'text' END,
    CASE p % 8 WHEN 0 THEN to_jsonb('דירה ' || m || ' ברחוב הרצל') WHEN 1 THEN to_jsonb(to_char(m, 'FM999,990'))
      WHEN 2 THEN to_jsonb(to_char(m / 100.0, 'FM9990.00'))
      WHEN 4 THEN to_jsonb((ARRAY['חיפה', 'Haifa', 'Eilat'])[m % 3 + 1])
      WHEN 3 THEN to_jsonb(lpad((m % 28 + 1)::text, 2, '0') || '/0' || m % 9 + 1 || '/2026') WHEN 6 THEN to_jsonb(m)
      WHEN 5 THEN to_jsonb((m % 2 = 0)::text) ELSE to_jsonb(29 + m / 1e6 || ',' || 34 + m / 1e6) END, '{{}}'
  FROM {those}, generate_series(0, 39) p, abs(hashint8(n * 40 + p)) h, LATERAL (SELECT h % 1000000 AS m) drawn;
"""
_REFERENCE, _ARRIVAL = "'process-' || lpad(n::text, 8, '0')", "timestamptz '2026-01-01' + n * interval '30 seconds'"
_CHANGED = "UPDATE form_field SET value = '7' WHERE id = 'FIELD_1' AND reference LIKE '%%07'"
_READ = """SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), sum(heap_blks_read + heap_blks_hit)
  FROM pg_stat_user_tables JOIN pg_statio_user_tables USING (relid, schemaname) WHERE schemaname = 'public'"""
_ASKED = """SELECT month, count(*) FROM (SELECT {month} AS month
  FROM {form} form JOIN {payments} payments USING (_archive)
  WHERE form."CITY" = 'Haifa' AND payments.standing = 'failed') found GROUP BY month ORDER BY month"""
_PUBLISH = "from services.publishing import publish; assert publish()"


def fill(url: str, archives: int) -> None:
    """Make archives of one template, without the triggers of changes: an epoch begins with all."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        for first in range(0, archives, _AT_ONCE):
            those = f"generate_series({first}, {min(first + _AT_ONCE, archives) - 1}) n"
            connection.execute(_FILL.format(those=those, r=_REFERENCE, at=_ARRIVAL).encode())
        connection.execute("VACUUM ANALYZE")


@contextmanager
def _timed(took: dict[str, Any], name: str, url: str) -> Iterator[None]:
    before, began = _read(url), time.monotonic()
    yield
    took[name] = {
        "s": round(time.monotonic() - began, 1),
        "read": [b - a for a, b in zip(before, _read(url), strict=True)],
    }


def _read(url: str) -> list[int]:
    with psycopg.connect(url) as connection:
        return [int(each) for each in connection.execute(_READ).fetchone() or ()]


def _run(environment: dict[str, str], *command: str) -> int:
    """Run a program. Return its peak of memory in MiB."""
    process = subprocess.Popen(command, env=os.environ | environment)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return used.ru_maxrss >> 10


def _median_s(ask: Callable[[], list[Any]]) -> float:
    took = list[float]()
    for _ in range(5):
        began = time.monotonic()
        assert ask()
        took.append(time.monotonic() - began)
    return round(median(took), 3)


def _of_lake(lake: Path) -> list[Any]:
    form, payments = ([*deltalake.DeltaTable(lake / name).file_uris()] for name in ("form_lease", "payments"))
    tables = {"form": f"read_parquet({form}, union_by_name = true)", "payments": f"read_parquet({payments})"}
    asked = _ASKED.format(month="strftime(payments._received_at, '%Y-%m')", **tables)
    return duckdb.execute(asked).fetchall()


def _of_share(connection: psycopg.Connection[Any]) -> list[Any]:
    tables = {"form": "cellar_share.form_lease", "payments": "cellar_share.payments"}
    asked = _ASKED.format(month="to_char(payments._received_at AT TIME ZONE 'UTC', 'YYYY-MM')", **tables)
    return connection.execute(asked.encode()).fetchall()


def _measured(url: str, work: Path, archives: int) -> dict[str, Any]:
    here = {"CELLAR_DATA_DIR": str(work / "data"), "CELLAR_DATABASE_URL": url}
    places = {"lake": here | {"CELLAR_LAKE_URL": str(work / "lake")}, "share": here | {"CELLAR_SHARE": "true"}}
    cellar, took = str(Path(sys.executable).with_name("cellar")), dict[str, Any]()
    _run(here, cellar, "migrate")
    with _timed(took, "filled", url):
        fill(url, archives)
    with _timed(took, "exported", url):
        command = "export-table", "--template", "lease", "--to", str(work / "leases.parquet")
        took["exported MB"] = _run(here, cellar, *command)
    took["exported archives/s"] = round(archives / took["exported"]["s"])
    for what in ("full", "of a hundredth"):
        for name, environment in places.items():
            with _timed(took, f"{name}, {what}", url):
                took[f"{name}, {what}, MB"] = _run(environment, sys.executable, "-c", _PUBLISH)
        with psycopg.connect(url) as connection:
            connection.execute(_CHANGED.encode())
    with psycopg.connect(url) as connection:
        assert _of_lake(work / "lake") == _of_share(connection)
        took["question to the share, s"] = _median_s(lambda: _of_share(connection))
    took["question to the lake, s"] = _median_s(lambda: _of_lake(work / "lake"))
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archives", type=int, default=20_000)
    archives = parser.parse_args().archives
    with machine.work_folder() as work, postgres(work) as server:
        url = server.new_database("published")
        print(
            json.dumps(
                {"machine": machine.described(), "archives": archives, **_measured(url, work, archives)}, indent=1
            )
        )


if __name__ == "__main__":
    main()

"""`make bench-settle`: measures `cellar settle` with 100,000 rows and 1,000,000 payments, on SQLite and Postgres.

    python -m benchmarks.settle

Seconds and peak memory are of the whole command, as the system counts them for its process.
"""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.postgres import postgres
from benchmarks.tables import GOALS, PAGES, at_most, publish
from benchmarks.tables import machine as machine_text

MEASURED = Path(__file__).parent / "measured" / "settle.json"
PAYMENTS, ROWS = 1_000_000, 100_000
_FIRST_ROW = 500_000
_PER_DAY = 3_334
_INSERTED_AT_ONCE = 20_000
_GOAL_S, _GOAL_MB = 60, 512
_COLUMNS = """
fee_tolerance_minor = 30
[columns]
settled_on = "settled"
paid_on = "paid"
amount = "amount"
currency = "currency"
cguid = "cguid"
authorisation = "authorisation"
card = "card"
kind = "kind"
instalment = "instalment"
"""
_HEADS = ("settled", "paid", "amount", "currency", "cguid", "authorisation", "card", "kind", "instalment")


def main() -> None:
    with machine.work_folder() as work:
        (work / "columns.toml").write_text(_COLUMNS)
        _write_report(work / "report.csv")
        measured = {"SQLite": _measured(work / "sqlite", None)}
        with postgres(work) as server:
            measured["Postgres"] = _measured(work / "postgres", server.new_database("settle"))
    found = {"machine": machine.described(), "rounds": 1, "payments": PAYMENTS, "rows": ROWS, "databases": measured}
    MEASURED.write_text(json.dumps(found, indent=1) + "\n")
    _publish(found)


def _publish(found: dict[str, Any]) -> None:
    heads = ["database", "import: s", "MB", "again: s", "MB", "dry run: s", "MB"]
    ways = ("import", "again", "dry run")
    databases = found["databases"]
    rows = [
        [name, *(f"{taken[way][what]:.0f}" for way in ways for what in ("seconds", "megabytes"))]
        for name, taken in databases.items()
    ]
    goals = [
        goal
        for name, taken in databases.items()
        for goal in (
            at_most(f"import, {name}: s", _GOAL_S, taken["import"]["seconds"]),
            at_most(f"import, {name}: MB at the peak", _GOAL_MB, taken["import"]["megabytes"]),
        )
    ]
    tables = {"settle-goals": (GOALS, goals), "settle": (heads, rows)}
    publish(tables, {"settle-machine": machine_text(found)}, PAGES / "store.md")


@dataclass(frozen=True, slots=True)
class _Paid:
    """A payment of the benchmark; everything follows from its number."""

    number: int

    @property
    def paid_on(self) -> date:
        return date(2025, 1, 1) + timedelta(days=self.number // _PER_DAY)

    @property
    def amount_minor(self) -> int:
        return 1_000 + self.number * 7_919 % 1_000_000

    @property
    def cguid(self) -> str:
        """The cguid. Every thousandth payment has the cguid of the payment before it."""
        return f"cguid-{self.number - (self.number % 1_000 == 501)}"

    @property
    def other_cguid(self) -> str | None:
        """The cguid of the other attempt, if any: a hold that was taken, or a failed attempt."""
        return f"other-{self.number}" if self.number % 20 == 3 else None

    @property
    def was_held(self) -> bool:
        return self.number % 40 == 3

    @property
    def is_in_instalments(self) -> bool:
        """Whether there are three instalments; the first has the remainder."""
        return self.number % 100 == 7

    @property
    def periodical_minor(self) -> int:
        return self.amount_minor // 3

    @property
    def first_minor(self) -> int:
        return self.amount_minor - 2 * self.periodical_minor

    @property
    def is_refunded(self) -> bool:
        return self.number % 200 == 11

    @property
    def authorisation(self) -> str:
        return f"{self.number % 10_000_000:07}"

    @property
    def card_last4(self) -> str:
        return f"{self.number % 10_000:04}"


def _write_report(path: Path) -> None:
    with path.open("w") as report:
        report.write(",".join(_HEADS) + "\n")
        for row in islice(_report_rows(), ROWS):
            report.write(",".join(str(row[head]) for head in _HEADS) + "\n")


def _report_rows() -> Iterator[dict[str, Any]]:
    """Yield rows. Of 100, 2 are instalments, 3 are matched by authorisation number, 1 brings too little, and 1 belongs
    to no archive. Of 1,000 rows, 24 belong to an attempt that does not decide, 5 are refunds, and 2 are ambiguous.
    """
    chance = random.Random(6)
    for paid in map(_Paid, range(_FIRST_ROW, PAYMENTS)):
        if paid.is_in_instalments:
            yield _row(paid, paid.first_minor, instalment="1/3")
            yield _row(paid, paid.periodical_minor, days=32, instalment="2/3")
        else:
            yield _charge(paid, chance.randrange(100))
        if paid.is_refunded:
            yield _row(paid, paid.amount_minor // 2, days=9, kind="refund")


def _charge(paid: _Paid, drawn: int) -> dict[str, Any]:
    if drawn == 0:
        return _row(paid, paid.amount_minor, cguid=f"unknown-{paid.number}", authorisation=f"9{paid.authorisation}")
    if drawn <= 3:
        return _row(paid, paid.amount_minor, cguid="")
    short_minor = 100 if drawn == 4 else 0
    return _row(paid, paid.amount_minor - short_minor)


def _row(paid: _Paid, amount_minor: int, days: int = 2, **cells: Any) -> dict[str, Any]:
    """A row of the report, settled `days` days after the payment."""
    return {
        "settled": paid.paid_on + timedelta(days=days),
        "paid": paid.paid_on,
        "amount": f"{amount_minor // 100}.{amount_minor % 100:02}",
        "currency": "ILS",
        "cguid": paid.other_cguid if paid.was_held else paid.cguid,
        "authorisation": paid.authorisation,
        "card": f"****{paid.card_last4}",
        "kind": "charge",
        "instalment": "",
    } | cells


def _measured(folder: Path, database_url: str | None) -> dict[str, dict[str, float]]:
    folder.mkdir()
    environment = os.environ | {
        "CELLAR_DATA_DIR": str(folder),
        "CELLAR_SETTLEMENT_COLUMNS": str(folder.parent / "columns.toml"),
    }
    if database_url:
        environment["CELLAR_DATABASE_URL"] = database_url
    subprocess.run([sys.executable, "-m", "benchmarks.settle", "fill"], env=environment, check=True)
    settle = [sys.executable, "-m", "cli.main", "settle", "--json", str(folder.parent / "report.csv")]
    ways = {"dry run": [*settle, "--dry-run"], "import": settle, "again": settle}
    return {name: _run(command, environment) for name, command in ways.items()}


def _run(command: list[str], environment: dict[str, str]) -> dict[str, float]:
    """Run a command to its end, and return its seconds, memory and counts. It must find discrepancies."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    assert process.stdout
    told = json.loads(process.stdout.read())
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    accounted_for = told["matched"] + told["missing_in_archive"] + told["ambiguous"]
    if process.returncode != 1 or not told["ambiguous"] or not told["rows"] == accounted_for == ROWS:
        raise ChildProcessError(f"{command} ended with {process.returncode}: {told['rows']} rows")
    names = ("matched", "missing_in_archive", "ambiguous", "missing_in_settlement", "differing")
    counts = {name: told[name] for name in names}
    return {"seconds": seconds, "megabytes": usage.ru_maxrss / 1024, **counts}


def _fill() -> None:
    """Insert the payments into the database of the settings; in a process of its own, with settings of its own."""
    from adapters.database.connections import engine  # noqa: PLC0415
    from adapters.database.migration import migrate  # noqa: PLC0415
    from adapters.database.transactions import insert_rows, writing  # noqa: PLC0415
    from models.payments import (  # noqa: PLC0415
        PaymentKeyRow,
        PaymentRow,
    )

    migrate()
    for first in range(0, PAYMENTS, _INSERTED_AT_ONCE):
        paid = [_Paid(number) for number in range(first, min(first + _INSERTED_AT_ONCE, PAYMENTS))]
        with writing() as session:
            insert_rows(session, PaymentRow, [_payment_row(each) for each in paid])
            insert_rows(session, PaymentKeyRow, [_other_attempt_row(each) for each in paid if each.other_cguid])
    with engine().connect() as connection:  # as the database does by itself in the course of a day
        connection.exec_driver_sql("ANALYZE")
        connection.commit()


def _payment_row(paid: _Paid) -> dict[str, Any]:
    from adapters.store.seals import fingerprint  # noqa: PLC0415
    from domain.payments.identity import plain_authorisation  # noqa: PLC0415

    return {
        **_of_each_attempt(paid),
        "position": 0,
        "transaction_id": f"transaction-{paid.number}",
        "type": "charge",
        "status": "success",
        "cguid_fingerprint": fingerprint(paid.cguid),
        "authorisation_fingerprint": fingerprint(plain_authorisation(paid.authorisation)),
        "standing": "charged",
        "attempts": 2 if paid.other_cguid else 1,
    }


def _other_attempt_row(paid: _Paid) -> dict[str, Any]:
    from adapters.store.seals import fingerprint  # noqa: PLC0415

    its = {"position": 1, "cguid_fingerprint": fingerprint(paid.other_cguid or ""), "authorisation_fingerprint": None}
    return _of_each_attempt(paid) | its | {"standing": "held" if paid.was_held else "failed"}


def _of_each_attempt(paid: _Paid) -> dict[str, Any]:
    return {
        "reference": f"process-{paid.number:07}",
        "payment_id": f"{paid.number:032}",
        "amount_minor": paid.amount_minor,
        "currency": "ILS",
        "card_last4": paid.card_last4,
        "paid_on": paid.paid_on,
        "instalments": 3 if paid.is_in_instalments else None,
        "first_minor": paid.first_minor if paid.is_in_instalments else None,
        "periodical_minor": paid.periodical_minor if paid.is_in_instalments else None,
    }


if __name__ == "__main__":
    if sys.argv[1:2] == ["fill"]:
        _fill()
    else:
        main()

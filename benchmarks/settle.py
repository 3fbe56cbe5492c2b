"""`make bench-settle`: `cellar settle` with 100,000 rows against 1,000,000 payments, on SQLite and on Postgres.

    python -m benchmarks.settle

Seconds and peak memory are those of the whole command, as the system counts them for its process.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.postgres import postgres
from benchmarks.tables import GOALS, at_most, publish

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
"""


def main() -> None:
    work = Path(tempfile.mkdtemp(prefix="cellar-benchmark-", dir=Path.cwd()))
    try:
        (work / "columns.toml").write_text(_COLUMNS)
        _write_report(work / "report.csv")
        measured = {"SQLite": _measured(work / "sqlite", None)}
        with postgres(work) as server:
            measured["Postgres"] = _measured(work / "postgres", server.new_database("settle"))
    finally:
        shutil.rmtree(work)
    found = {"machine": machine.described(), "payments": PAYMENTS, "rows": ROWS, "databases": measured}
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
    on = found["machine"]
    described = f"{on['cores']} cores ({on['processor']}), {on['memory_gb']} GB, {on['system']}, "
    described += f"Python {on['python']}; one round."
    publish({"settle-goals": (GOALS, goals), "settle": (heads, rows)}, {"settle-machine": described})


@dataclass(frozen=True, slots=True)
class _Paid:
    """A payment as the benchmark makes it; its number tells everything."""

    number: int

    @property
    def paid_on(self) -> date:
        return date(2025, 1, 1) + timedelta(days=self.number // _PER_DAY)

    @property
    def amount_minor(self) -> int:
        return 1_000 + self.number * 7_919 % 1_000_000

    @property
    def cguid(self) -> str:
        return f"cguid-{self.number}"

    @property
    def authorisation(self) -> str:
        return f"{self.number % 10_000_000:07}"

    @property
    def card_last4(self) -> str:
        return f"{self.number % 10_000:04}"


def _write_report(path: Path) -> None:
    """Of 100 rows, 95 are matched by cguid and 3 by authorisation number; one of them brings too little; one is for a
    payment that no archive has.
    """
    chance = random.Random(6)
    with path.open("w") as report:
        report.write("settled,paid,amount,currency,cguid,authorisation,card\n")
        for number in range(_FIRST_ROW, _FIRST_ROW + ROWS):
            paid, drawn = _Paid(number), chance.randrange(100)
            cguid = {0: "unknown-" + paid.cguid, 1: "", 2: "", 3: ""}.get(drawn, paid.cguid)
            authorisation = f"9{paid.authorisation}" if drawn == 0 else paid.authorisation
            amount_minor = paid.amount_minor - (100 if drawn == 4 else 0)
            cells = (
                paid.paid_on + timedelta(days=2),
                paid.paid_on,
                f"{amount_minor // 100}.{amount_minor % 100:02}",
                "ILS",
                cguid,
                authorisation,
                f"****{paid.card_last4}",
            )
            report.write(",".join(map(str, cells)) + "\n")


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
    """Run a command to its end, which finds that something differs."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    assert process.stdout
    told = json.loads(process.stdout.read())
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    expected = {"rows": ROWS, "missing_in_archive": told["rows"] - told["matched"], "ambiguous": 0}
    if process.returncode != 1 or any(told[name] != count for name, count in expected.items()):
        raise ChildProcessError(f"{command} ended with {process.returncode}: {told['rows']} rows")
    counts = {name: told[name] for name in ("matched", "missing_in_archive", "missing_in_settlement", "differing")}
    return {"seconds": seconds, "megabytes": usage.ru_maxrss / 1024, **counts}


def _fill() -> None:
    """Put the payments into the database of the settings. In a process of its own, for its settings."""
    from adapters.database import engine, insert_rows, writing  # noqa: PLC0415
    from adapters.migration import migrate  # noqa: PLC0415
    from models.payment import PaymentRow  # noqa: PLC0415

    migrate()
    for rows in _payment_rows():
        with writing() as session:
            insert_rows(session, PaymentRow, rows)
    with engine().connect() as connection:  # as the database does by itself in the course of a day
        connection.exec_driver_sql("ANALYZE")
        connection.commit()


def _payment_rows() -> Iterator[list[dict[str, Any]]]:
    from adapters.seals import fingerprint  # noqa: PLC0415
    from domain.authorisation import plain_authorisation  # noqa: PLC0415

    for first in range(0, PAYMENTS, _INSERTED_AT_ONCE):
        yield [
            {
                "reference": f"process-{paid.number:07}",
                "position": 0,
                "payment_id": f"{paid.number:032}",
                "transaction_id": f"transaction-{paid.number}",
                "type": "charge",
                "status": "success",
                "amount_minor": paid.amount_minor,
                "currency": "ILS",
                "card_last4": paid.card_last4,
                "cguid_fingerprint": fingerprint(paid.cguid),
                "authorisation_fingerprint": fingerprint(plain_authorisation(paid.authorisation)),
                "standing": "charged",
                "attempts": 1,
                "paid_on": paid.paid_on,
            }
            for paid in map(_Paid, range(first, first + _INSERTED_AT_ONCE))
        ]


if __name__ == "__main__":
    if sys.argv[1:2] == ["fill"]:
        _fill()
    else:
        main()

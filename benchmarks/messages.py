"""`make bench-messages`: messages a second to 50 endpoints, beside a bare sender of the same bodies, in one run.

The endpoints are another process on the same two cores. The bare sender signs and posts with httpx, four at a time to
each endpoint as cellar does, and records nothing. Rounds are interleaved; ratios are medians of the ratios within a
round.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import machine
from benchmarks.engine import set_up_process
from benchmarks.message_peers import peers
from benchmarks.message_sending import Round
from benchmarks.postgres import postgres

MEASURED = Path(__file__).parent / "measured" / "messages.json"
KINDS = ("sqlite", "postgres")
_ENDPOINTS = 50
_EACH = 40
_GOAL_PER_S = 200


def measure(kind: str, rounds: int, folder: Path) -> list[Round]:
    """Measure a new installation in a folder, on SQLite or Postgres."""
    with peers(_ENDPOINTS) as ports, postgres(folder) if kind == "postgres" else nullcontext() as server:
        environment = {"DATA_DIR": folder / "data", "NOTIFY_ALLOW_PRIVATE": "true"}
        environment |= {"DATABASE_URL": server.new_database("cellar")} if server else {}
        surrounding = os.environ | {f"CELLAR_{name}": str(value) for name, value in environment.items()}
        _run([sys.executable, "-P", "-m", "cli.main", "migrate"], surrounding, folder)
        asked = json.dumps({"ports": ports, "rounds": rounds, "each": _EACH})
        printed = _run([sys.executable, "-m", "benchmarks.message_sending", asked], surrounding, folder)
        return [Round(**json.loads(line)) for line in printed.splitlines()]


def _run(command: list[str], environment: dict[str, str], folder: Path) -> str:
    with (folder / "log").open("ab") as log:
        done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, stderr=log, timeout=1200)
    return done.stdout.decode()


def table(measured: dict[str, Sequence[Round]]) -> list[str]:
    """Return the rows of a table: medians over the rounds of each kind of database."""
    rows = [
        f"| database | rounds | messages/s | of {_GOAL_PER_S}/s | times the bare sender's | processor, ms a message "
        "| of the bare sender |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for kind, rounds in measured.items():
        per_s = median(each.messages / each.cellar_s for each in rounds)
        ratio = median(each.bare_s / each.cellar_s for each in rounds)
        ours_ms = median(1000 * each.cellar_processor_s / each.messages for each in rounds)
        bare_ms = median(1000 * each.bare_processor_s / each.messages for each in rounds)
        figures = f"{per_s:,.0f} | {per_s / _GOAL_PER_S:.2f} | {ratio:.2f} | {ours_ms:.2f} | {bare_ms:.2f}"
        rows.append(f"| {kind} | {len(rounds)} | {figures} |")
    return rows


def main(arguments: argparse.Namespace) -> None:
    set_up_process()
    measured: dict[str, Any] = {}
    for kind in arguments.kind or KINDS:
        with machine.work_folder() as folder:
            measured[kind] = measure(kind, arguments.rounds, folder)
    print("\n".join(table(measured)))
    if not arguments.kind:
        found = {kind: [asdict(each) for each in rounds] for kind, rounds in measured.items()}
        MEASURED.write_text(json.dumps({"machine": machine.described(), **found}, indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kind", choices=KINDS, action="append", help="one database; nothing is written down then")
    main(parser.parse_args())

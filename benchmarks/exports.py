"""Measures how fast a form table is exported: `cellar export-table --template` against a plain reader of the same rows.

    python -m benchmarks.exports --archives 20000 --rounds 3

The reader fetches reference, id and value of each field from SQLite, reads the JSON, and writes texts as Parquet by
pyarrow: no types, no second look, nothing that leads back. The two take turns, each in a process of its own, and
seconds are those of the processor, since both work on one.
"""

import argparse
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from adapters.database.transactions import insert_rows, writing
from benchmarks import machine
from models.archive.archive import ArchiveRow, FormFieldRow
from models.runs.receipt import ReceiptRow, VersionRow

FIELDS, TEMPLATE = 40, "lease"
_AT = datetime(2026, 1, 1, tzinfo=UTC)
_CITIES = ("חיפה", "תל אביב", "Haifa")
_AT_ONCE = 2000


def fill(archives: int) -> None:
    """Fill the database of the settings with archives of one template, each with 40 fields of all types."""
    drawn = Random(32)
    for first in range(0, archives, _AT_ONCE):
        rows: dict[type[Any], list[dict[str, Any]]] = {ReceiptRow: [], ArchiveRow: [], VersionRow: [], FormFieldRow: []}
        for number in range(first, min(first + _AT_ONCE, archives)):
            reference = f"process-{number:08}"
            shared = {"reference": reference, "received_at": _AT + timedelta(seconds=number)}
            receipt = {"receipt_id": f"{number:064x}", **shared}
            rows[ReceiptRow].append(receipt | {"state": "completed", "size_bytes": 20_000})
            its = {"template_id": TEMPLATE, "current_receipt_id": receipt["receipt_id"], "process_number": number}
            rows[ArchiveRow].append(shared | its | {"state": "completed"})
            rows[VersionRow].append(receipt | {"version": 1, "skeleton": b"{}"})
            rows[FormFieldRow] += _fields(reference, drawn)
        with writing() as session:
            for table, its_rows in rows.items():
                insert_rows(session, table, its_rows)


def _fields(reference: str, drawn: Random) -> Iterator[dict[str, Any]]:
    for position in range(FIELDS):
        made = drawn.randrange(10**6)
        values = (
            *(f"דירה {made} ברחוב הרצל", f"{made:,}", f"{made / 100:.2f}", f"{made % 28 + 1:02}/0{made % 9 + 1}/2026"),
            *(drawn.choice(_CITIES), "true" if made % 2 else "false", made, f"{29 + made / 10**6},{34 + made / 10**6}"),
        )
        yield {
            "reference": reference,
            "position": position,
            "id": f"FIELD_{position}",
            "type": "location" if position % 8 == 7 else "text",
            "value": values[position % 8],
            "meta": {},
        }


def plain(database: Path, target: Path) -> None:
    """Write the fields as texts, as a person would who knows the tables."""
    names = [f"FIELD_{each}" for each in range(FIELDS)]
    schema = pa.schema([("reference", pa.string()), *((name, pa.string()) for name in names)])
    with closing(sqlite3.connect(database)) as connection, pq.ParquetWriter(target, schema, compression="zstd") as file:
        rows: list[dict[str, Any]] = []
        asked = "SELECT reference, id, value FROM form_field ORDER BY reference, position"
        for reference, name, value in connection.execute(asked):
            if not rows or rows[-1]["reference"] != reference:
                if len(rows) == 25_000:
                    file.write_table(pa.Table.from_pylist(rows, schema))
                    rows = []
                rows.append({"reference": reference})
            rows[-1][name] = json.loads(value) if isinstance(value, str) else str(value)  # SQLite keeps numbers as such
        file.write_table(pa.Table.from_pylist(rows, schema))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archives", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="cellar-benchmark-", dir=os.environ.get("TMPDIR", Path.cwd())))
    try:
        print(json.dumps({"machine": machine.described(), **_measured(work, given.archives, given.rounds)}, indent=1))
    finally:
        shutil.rmtree(work)


def _measured(work: Path, archives: int, rounds: int) -> dict[str, Any]:
    data, cellar = work / "data", str(Path(sys.executable).with_name("cellar"))
    its = "from pathlib import Path; from benchmarks.exports import fill, plain; "
    _run(data, cellar, "migrate")
    _run(data, sys.executable, "-c", f"{its}fill({archives})")
    ours, theirs, memory = list[float](), list[float](), list[int]()
    for number in range(rounds):
        file = work / f"{number}.parquet"
        took_s, peak = _run(data, cellar, "export-table", "--template", TEMPLATE, "--to", str(file))
        assert pq.read_metadata(file).num_rows == archives
        ours.append(took_s)
        memory.append(peak)
        theirs.append(
            _run(data, sys.executable, "-c", f"{its}plain(Path({str(data / 'cellar.db')!r}), Path('/dev/null'))")[0]
        )
    return {
        "archives": archives,
        "archives a second": [round(archives / each) for each in ours],
        "of the reader": [round(archives / each) for each in theirs],
        "ratio, median": round(median(other / own for own, other in zip(ours, theirs, strict=True)), 2),
        "peak of memory, MB": max(memory) >> 10,
    }


def _run(data: Path, *command: str) -> tuple[float, int]:
    """Run a program. Return how many seconds of the processor it took, and its peak of memory in KiB."""
    process = subprocess.Popen(command, env=os.environ | {"CELLAR_DATA_DIR": str(data)})
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return used.ru_utime + used.ru_stime, used.ru_maxrss


if __name__ == "__main__":
    main()

"""Measures the first anchor of a store of small objects, an anchor of a day, and the check.

    python -m benchmarks.anchors --objects 1000000 --day 1000

The store is written directly in its form, without contents, in the page cache: an anchor reads inventories and logs, so
the benchmark compares the work, not the disk. A million objects take 36 GB of a disk. Memory is the peak of all
processes together.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.machine import work_folder

_PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024
_ROWS_AT_ONCE = 10_000
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--objects", type=int, default=100_000)
    options.add_argument("--day", type=int, default=1_000)
    chosen = options.parse_args()
    with work_folder() as work:
        step = [sys.executable, "-m", "benchmarks.anchors"]
        _run([*step, "fill", str(chosen.objects)], work)
        first = _run([*step, "anchor"], work)
        made = json.loads(first.output)
        _run([*step, "touch", str(chosen.day)], work)
        day = _run([*step, "anchor"], work)
        held = _run([*step, "hold", json.loads(day.output)["root"]], work)
        leaves_bytes = sum(each.stat().st_size for each in (work / "store" / "anchors").rglob("*.leaves.gz"))
        per_million = first.seconds * 1e6 / made["leaves"]
        print(f"{made['leaves']:,} objects: {first.seconds:.1f} s, {per_million:.0f} s a million, {first.megabytes} MB")
        print(f"a day: {json.loads(day.output)['leaves']:,} of them: {day.seconds:.1f} s, {day.megabytes} MB")
        print(f"held against the anchor: {held.seconds:.1f} s, {held.megabytes} MB")
        print(f"leaves: {leaves_bytes / 1e6:.0f} MB")


class _run:  # noqa: N801 -- reads as a verb
    """Run a program, and measure its seconds and the peak of the memory of its processes together."""

    def __init__(self, command: Sequence[str], work: Path) -> None:
        begun = time.perf_counter()
        environment = os.environ | {"CELLAR_DATA_DIR": str(work)}
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, start_new_session=True) as process:
            self._peak_kb = 0
            ended = threading.Event()
            watching = threading.Thread(target=self._watch, args=(process.pid, ended))
            watching.start()
            self.output, _ = process.communicate()
            ended.set()
            watching.join()
        self.seconds = time.perf_counter() - begun
        if process.returncode:
            raise SystemExit(f"{command[1:]} ended with {process.returncode}")

    @property
    def megabytes(self) -> int:
        return self._peak_kb // 1024

    def _watch(self, session: int, ended: threading.Event) -> None:
        while not ended.wait(0.1):
            self._peak_kb = max(self._peak_kb, sum(map(_private_kb, _of_session(session))))


def _of_session(session: int) -> list[Path]:
    found = []
    for each in Path("/proc").iterdir():
        try:
            if each.name.isdecimal() and os.getsid(int(each.name)) == session:
                found.append(each)
        except OSError:
            continue
    return found


def _private_kb(process: Path) -> int:
    """Return the memory of a process without pages of files, which all processes share."""
    try:
        _, resident, shared, *_ = (process / "statm").read_text().split()
    except OSError:
        return 0
    return (int(resident) - int(shared)) * _PAGE_KB


def fill(objects: int) -> None:
    """Write objects as cellar leaves them after one delivery and one run, and their rows."""
    from adapters.database.migration import migrate  # noqa: PLC0415
    from adapters.files.store import store  # noqa: PLC0415
    from adapters.settings.settings import settings  # noqa: PLC0415

    migrate()
    root = Path(settings().store_location)
    store().overwrite_bytes(b"", "archives/placeholder")
    (root / "archives" / "placeholder").unlink()
    rows: list[dict[str, list[dict[str, object]]]] = []
    for number in range(objects):
        rows.append(_object(root, number))
        if len(rows) == _ROWS_AT_ONCE:
            _insert(rows)
            rows.clear()
    _insert(rows)


def _object(root: Path, number: int) -> dict[str, list[dict[str, object]]]:
    from adapters.store import ocfl  # noqa: PLC0415
    from adapters.store.objects import history  # noqa: PLC0415
    from models.store.inventory import Inventory, ObjectVersion  # noqa: PLC0415

    reference = f"process-{number:08}"
    receipt_id = hashlib.sha256(reference.encode()).hexdigest()
    contents = {
        name: hashlib.sha256(f"{name} {number}".encode()).hexdigest() for name in ("skeleton.json", "cuts.json")
    }
    version = ObjectVersion(LONG_AGO, receipt_id, contents)
    inventory = Inventory(ocfl.object_id(reference), {}, ()).with_version(
        version, {sha: n for n, sha in contents.items()}
    )
    text, folder = inventory.to_json(), root / ocfl.object_key(reference)
    rows = _rows(reference, receipt_id)
    signed = {"reference": reference, "position": 0, "outcome": "sound", "verdict": {"signatures": ["-" * 1000]}}
    (folder / "v1").mkdir(parents=True)
    (folder / "logs" / "history").mkdir(parents=True)
    for path in (folder, folder / "v1"):
        (path / ocfl.INVENTORY).write_bytes(text)
    body = json.dumps(rows).encode()
    (folder / history.path_of(receipt_id)).write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
    at = LONG_AGO.isoformat()
    return rows | {"signed_document": [signed | {"judged_at": at, "judgements": [{"at": at}]}]}


def _rows(reference: str, receipt_id: str) -> dict[str, list[dict[str, object]]]:
    at = LONG_AGO.isoformat()
    shared: dict[str, object] = {"reference": reference, "receipt_id": receipt_id}
    receipt = {"state": "completed", "received_at": at, "completed_at": at, "size_bytes": 20_000}
    delivery = {"delivery_id": f"20260101T000000.000000Z-{receipt_id[:16]}", "received_at": at, "outcome": "new"}
    run = {"flow_run_id": receipt_id[:36], "attempt": 1, "trigger": "webhook", "state": "Completed"}
    message = {"message_id": receipt_id, "endpoint": "https://example.com", "event": "archive.completed"}
    attempt: dict[str, object] = {
        "message_id": receipt_id,
        "attempt": 1,
        "attempted_at": at,
        "status_code": 200,
        "error": None,
    }
    return {
        "receipt": [shared | receipt],
        "delivery": [shared | delivery | {"headers": {}, "flow_run_id": receipt_id[:36]}],
        "run": [shared | run | {"cause_code": None, "started_at": at, "ended_at": at}],
        "notification": [shared | message | {"state": "delivered", "planned_at": at}],
        "notification_attempt": [attempt],
    }


def _insert(rows: Sequence[dict[str, list[dict[str, object]]]]) -> None:
    from sqlmodel import SQLModel  # noqa: PLC0415

    from adapters.database.transactions import writing  # noqa: PLC0415

    with writing() as session:
        for name in rows[0] if rows else ():
            table = SQLModel.metadata.tables[name]
            moments = [each.name for each in table.columns if each.name.endswith("_at")]
            its = [row for each in rows for row in each[name]]
            session.connection().execute(table.insert(), [row | _moments(row, moments) for row in its])


def _moments(row: dict[str, object], names: Sequence[str]) -> dict[str, datetime]:
    return {name: datetime.fromisoformat(str(row[name])) for name in names if row.get(name)}


def touch(objects: int) -> None:
    """Let some objects have been delivered just now, by the database."""
    from sqlalchemy import update  # noqa: PLC0415
    from sqlmodel import col  # noqa: PLC0415

    from adapters.database.transactions import writing  # noqa: PLC0415
    from models.runs.receipt import ReceiptRow  # noqa: PLC0415

    its = col(ReceiptRow.reference) < f"process-{objects:08}"
    with writing() as session:
        session.execute(update(ReceiptRow).where(its).values(completed_at=datetime.now(UTC) + timedelta(seconds=1)))


def anchor() -> None:
    from services.anchors.making import make  # noqa: PLC0415

    made = make(datetime.now(UTC)).anchor
    print(json.dumps({"leaves": made.statement.leaves, "root": made.root}))


def hold(root: str) -> None:
    from services.anchors.anchors import hold as hold_store  # noqa: PLC0415

    if hold_store(root).findings:
        raise SystemExit("the store does not fulfil its anchor")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["fill", objects]:
            fill(int(objects))
        case ["touch", objects]:
            touch(int(objects))
        case ["anchor"]:
            anchor()
        case ["hold", root]:
            hold(root)
        case _:
            main()

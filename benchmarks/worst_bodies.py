"""`make bench-worst`: measures what the worst accepted bodies cost: a worker, the database, and whoever looks at them.

    python -m benchmarks.worst_bodies [NAME …]

Each body is near a limit of the scanner (200,000 values, 10,000 files) and as short as that allows. A process of its
own takes the body through the steps of a run, without Prefect. Then a receiver of its own shows the archive. Seconds
are of processor time, since other programs may be at work.
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from benchmarks import machine
from benchmarks.servers import Server, cellar, signed_in
from benchmarks.tables import PAGES, publish
from benchmarks.tables import machine as machine_text

MEASURED = Path(__file__).parent / "measured" / "worst_bodies.json"
_REFERENCE = "worst"
_PAGES = {"json": f"/api/archives/{_REFERENCE}", "dossier": f"/console/archives/{_REFERENCE}"}

Members = dict[str, Any]


def _nested(value: Any, levels: int) -> Any:
    return {"a_long_name_of_a_member_of_an_object": _nested(value, levels - 1)} if levels else value


def _attempts(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        yield {"transaction_id": "t", "provider_transaction_result": {"cguid": str(number)}}


_BODIES: dict[str, Callable[[], Members]] = {
    "empty payments": lambda: {"payments": [{}] * 99_000},
    "payments of one transaction": lambda: {"payments": list(_attempts(39_000))},
    "payments that are numbers": lambda: {"payments": [1] * 199_000},
    "empty sessions": lambda: {"sessions": [{}] * 99_000},
    "sessions that name other processes": lambda: {"sessions": [{"reference": "x", "author": 1}] * 66_000},
    "labels of a session": lambda: {"sessions": [{"labels": {f"{number:x}": 1 for number in range(198_000)}}]},
    "integrations of a session": lambda: {"sessions": [{"integrations": [{}] * 99_000}]},
    "invitations of a session": lambda: {"sessions": [{"recipient": {"invitations": [{}] * 99_000}}]},
    "empty fields": lambda: {"data": [{}] * 99_000},
    "payment fields": lambda: {"data": [{"type": "payment", "value": number} for number in range(66_000)]},
    "empty signatures": lambda: {"signatures": [{}] * 99_000},
    "values of a wrong type": lambda: {"data": [{"page": "x", "top": "x", "visible": 1}] * 49_000},
    "tiny files": lambda: {"attachments": [{"content": "QQ=="}] * 9_900},
    "tiny files, all different": lambda: {"attachments": [{"content": f"{number:04d}"} for number in range(9_900)]},
    "a field of many numbers": lambda: {"data": [{"id": "f", "value": [1] * 199_000}]},
    "a recipient of many members": lambda: {"sessions": [{"recipient": {f"{n:x}": 1 for n in range(198_000)}}]},
    "sessions with labels": lambda: {
        "sessions": [{"labels": {f"{number:x}": 1 for number in range(600)}} for _ in range(330)]
    },
    "texts with NUL, deep down": lambda: {"data": [{"meta": _nested(["\0"] * 190_000, 55)}]},
    "a label of 15 MB": lambda: {"sessions": [{"labels": {"k": "שלום " * 1_600_000}}]},
    "fields of 75 KB": lambda: {"data": [{"id": "f", "type": "text", "value": "x" * 75_000}] * 200},
    "empty fields, and 252 characters of a reference": lambda: {"data": [{}] * 99_000, "reference": "שלום" * 63},
}


def main(names: list[str]) -> None:
    costs = {name: _costs(name) for name in names or _BODIES}
    found = {"machine": machine.described(), "rounds": 1, "bodies": costs}
    if names:
        return
    MEASURED.write_text(json.dumps(found, indent=1) + "\n")
    heads = ["body", "MB", "worker: s", "per MB", "MB", "database: MB", "per MB", "JSON: s", "MB", "dossier: s", "MB"]
    rows = [_row(*each) for each in costs.items()]
    publish({"worst": (heads, rows)}, {"worst-machine": machine_text(found)}, PAGES / "store.md")


def _row(name: str, costs: Mapping[str, float]) -> list[str]:
    worker, database = (f"{costs[each] / costs['body_mb']:.0f}" for each in ("worker_s", "database_mb"))
    shown = [f"{costs[f'{page}_{unit}']:.{digits}f}" for page in _PAGES for unit, digits in (("s", 2), ("mb", 0))]
    numbers = [f"{costs['body_mb']:.2f}", f"{costs['worker_s']:.1f}", worker, f"{costs['worker_mb']:.0f}"]
    numbers += [f"{costs['database_mb']:.1f}", database]
    return [name, *numbers, *shown]


def _costs(name: str) -> dict[str, float]:
    with machine.work_folder() as work:
        command = [sys.executable, "-m", "benchmarks.worst_bodies", "--take", name]
        environment = os.environ | {"CELLAR_DATA_DIR": str(work / "cellar")}
        taken = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
        costs: dict[str, Any] = json.loads(taken.stdout.splitlines()[-1])
        for page, path in _PAGES.items():  # a receiver for each, because a peak of memory stays
            with cellar(work) as server, signed_in(server.url) as person:
                costs |= _shown(server, person, page, path.replace(_REFERENCE, str(costs["reference"])))
        print(json.dumps({name: costs}, ensure_ascii=False), flush=True)
        return costs


def _shown(server: Server, person: httpx.Client, page: str, path: str) -> dict[str, float]:
    person.get(path.rpartition("/")[0] + "/another")  # imports, templates and statements
    server.wait_until_idle()
    server.forget_peak()
    before, spent_s = server.memory("VmRSS"), sum(server.spent_s())
    answer = person.get(path)
    taken_s = sum(server.spent_s()) - spent_s
    assert answer.status_code == 200, answer.text
    grown_mb = (server.memory("VmHWM") - before) / 1e6
    return {f"{page}_s": taken_s, f"{page}_mb": grown_mb, f"{page}_bytes": len(answer.content)}


def _take(name: str) -> None:
    """Take a small archive and then a body through the steps of a run; a process of its own, with its own settings."""
    from adapters.database.migration import migrate  # noqa: PLC0415

    migrate()
    _steps({"reference": "another", "sessions": [{}], "payments": [{}], "attachments": [{"content": "QQ=="}]})
    database = Path(os.environ["CELLAR_DATA_DIR"]) / "cellar.db"
    before, peak = _bytes(database), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    members = {"reference": _REFERENCE} | _BODIES[name]()
    size, steps = _steps(members)
    grown = (_bytes(database) - before) / 1e6
    worker_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) * 1024 / 1e6
    figures = {
        "reference": members["reference"],
        "body_mb": size / 1e6,
        "worker_s": sum(steps.values()),
        "worker_mb": worker_mb,
        "database_mb": grown,
        "steps_s": steps,
    }
    print(json.dumps(figures, ensure_ascii=False))


def _bytes(database: Path) -> int:
    import sqlite3  # noqa: PLC0415

    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        pages: int = connection.execute("PRAGMA page_count").fetchone()[0]
        size: int = connection.execute("PRAGMA page_size").fetchone()[0]
    return pages * size


def _steps(members: Members) -> tuple[int, dict[str, float]]:
    """Return the size of a body, and the processor seconds of each step."""
    from services.messages.events import archive_summary  # noqa: PLC0415
    from services.processing.completion import complete, load, reconcile_findings  # noqa: PLC0415
    from services.processing.persisting import persist  # noqa: PLC0415
    from services.receipts import stored_archive  # noqa: PLC0415
    from tests.installations import received  # noqa: PLC0415

    event = {"type": "WHP_ARCHIVE", "timestamp": "2024-01-02T03:04:05"}
    whole = {"event": event, "sessions": []} | dict(members)
    body = json.dumps(whole, separators=(",", ":"), ensure_ascii=False).encode()
    reference = str(members["reference"])
    receipt_id = received(reference, body)
    spent: dict[str, float] = {}

    def step(step_name: str, work: Callable[[], Any]) -> Any:
        begun = sum(os.times()[:4])
        made = work()
        spent[step_name] = sum(os.times()[:4]) - begun
        return made

    step("persist", lambda: persist(reference, receipt_id))
    archived = step("read", lambda: stored_archive(reference, receipt_id))
    step("load", lambda: load(archived))
    reconciled = step("reconcile", lambda: reconcile_findings(archived))
    step("complete", lambda: complete(archived, reconciled.payload))
    step("summarize", lambda: archive_summary(archived, 1))
    return len(body), spent


if __name__ == "__main__":
    if sys.argv[1:2] == ["--take"]:
        _take(sys.argv[2])
    else:
        main(sys.argv[1:])

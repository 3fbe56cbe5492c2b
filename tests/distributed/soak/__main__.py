"""`make soak`: SOAK_MINUTES (60) of mixed load, SOAK_RATE (1) processes a second.

Each sample is a line of SOAK_FILE, written at once, so that a soak that is cut off shows what it reached. A file whose
soak is not over is continued: its minutes count.
"""

import json
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from threading import Event, Semaphore, Thread
from typing import Any

from benchmarks.archives import template
from tests.distributed.load import Acknowledged
from tests.distributed.outcome import per_archive, states
from tests.distributed.soak import report
from tests.distributed.soak.mix import Mix, numbered
from tests.distributed.soak.sampling import p99, sample
from tests.distributed.stack import Stack, distributed

_FILE = Path(__file__).parents[3] / "benchmarks" / "measured" / "soak.jsonl"
_SAMPLE_EVERY_S = 30
_LANES = 8
_COMPLETE_WITHIN_S = 1800


def main() -> int:
    minutes, rate = float(os.environ.get("SOAK_MINUTES", "60")), float(os.environ.get("SOAK_RATE", "1"))
    lines = Path(os.environ.get("SOAK_FILE", str(_FILE)))
    earlier, outcomes = report.read(lines)
    if outcomes:  # the last soak is over
        lines.unlink()
        earlier = []
    before_s = earlier[-1]["elapsed_s"] if earlier else 0.0
    with tempfile.TemporaryDirectory(prefix="cellar-soak-") as folder, distributed(Path(folder)) as stack:
        outcome = _soaked(stack, lines, before_s, minutes * 60, rate)
    samples, outcomes = report.read(lines)
    report.write(samples, outcomes)
    print(report.text_of(samples, outcomes))  # noqa: T201 -- a program
    return int(bool(outcome["lost"] or outcome["duplicated"] or samples[-1]["wrong"]))


def _soaked(stack: Stack, lines: Path, before_s: float, until_s: float, rate: float) -> dict[str, Any]:
    """Load an installation until `until_s`, and return what became of everything."""
    mix, begun, stop = Mix(stack, template()), time.monotonic(), Event()

    def _write(made: dict[str, Any]) -> None:
        with lines.open("a") as file:
            file.write(json.dumps(made) + "\n")

    def _sampling() -> None:
        while not stop.wait(_SAMPLE_EVERY_S):
            _write(asdict(sample(stack, mix, before_s + time.monotonic() - begun)))

    watching = Thread(target=_sampling)
    watching.start()
    try:
        _send(mix, begun + until_s - before_s, rate)
        ended = time.monotonic()
        while time.monotonic() < ended + _COMPLETE_WITHIN_S and set(_states(stack, mix)) - {"completed"}:
            time.sleep(1)
        completed_after_s = round(time.monotonic() - ended)
    finally:
        stop.set()
        watching.join()
    outcome = _outcome(stack, mix) | {"completed_after_s": completed_after_s, "p99_s": p99(mix.took_s)}
    _write(outcome)
    return outcome


def _send(mix: Mix, until: float, rate: float) -> None:
    """Send processes at a rate, fewer while all lanes are occupied."""
    free, references = Semaphore(_LANES), numbered()
    with ThreadPoolExecutor(_LANES) as lanes:
        due = time.monotonic()
        for number, reference in enumerate(references):
            due += 1 / rate
            time.sleep(max(0, due - time.monotonic()))
            free.acquire()
            if time.monotonic() >= until:
                break
            lanes.submit(mix.send, reference, number).add_done_callback(lambda _: free.release())


def _states(stack: Stack, mix: Mix) -> dict[str, int]:
    return states(stack, [Acknowledged(reference, receipt, 0, 1, ()) for receipt, reference in mix.receipts.items()])


def _outcome(stack: Stack, mix: Mix) -> dict[str, Any]:
    found = _states(stack, mix)
    completed = "(SELECT * FROM notification WHERE event = 'archive.completed') AS completed"
    tables = ("archive", "version", "payment", completed)
    doubled = sum(number for table in tables for rows, number in per_archive(stack, table).items() if rows > 1)
    return {
        "completed": found.get("completed", 0),
        "lost": found.get("lost", 0),
        "not_completed": len(mix.receipts) - found.get("completed", 0),
        "duplicated": doubled,
    }


if __name__ == "__main__":
    sys.exit(main())

"""`make bench-verify`: compares `cellar verify` with reading and hashing the same files in the shell.

    python -m benchmarks.verify

The files are in the page cache, so the benchmark compares the work, not the disk.
"""

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from statistics import median

from benchmarks import machine
from benchmarks.tables import PAGES, publish
from benchmarks.tables import machine as machine_text

MEASURED = Path(__file__).parent / "measured" / "verify.json"
_ROUNDS = 5
_STORES = {
    "20 archives with a file of 50 MB": (20, 1, 50_000_000),
    "190 archives with a file of 1.3 MB": (190, 1, 1_300_000),
    "500 archives with 20 files of 10 KB": (500, 20, 10_000),
}


def main() -> None:
    measured = {name: _measured(*shape) for name, shape in _STORES.items()}
    found = {"machine": machine.described(), "rounds": _ROUNDS, "stores": measured}
    MEASURED.write_text(json.dumps(found, indent=1) + "\n")
    heads = ["store", "cellar verify: MB/s", "of `cat`", "of `sha256sum`"]
    rows = [_row(name, of_store, way) for name, of_store in measured.items() for way in ("cellar", "quick")]
    publish({"verify": (heads, rows)}, {"verify-machine": machine_text(found)}, PAGES / "store.md")


def _row(name: str, of_store: dict[str, list[float]], way: str) -> list[str]:
    """A row of the table. A ratio is the median of the ratios within the rounds."""
    megabytes = of_store["megabytes"][0]
    ratios = [
        median(theirs / ours for ours, theirs in zip(of_store[way], of_store[other], strict=True))
        for other in ("cat", "sha256sum")
    ]
    return [
        name + (", `--quick`" if way == "quick" else ""),
        f"{megabytes / median(of_store[way]):.0f}",
        *(f"{ratio:.2f}" for ratio in ratios),
    ]


def _measured(archives: int, files: int, file_bytes: int) -> dict[str, list[float]]:
    """Return the seconds of each round, and the megabytes to read."""
    with machine.work_folder() as work:
        _fill(work, archives, files, file_bytes)
        paths = [path for path in (work / "store" / "archives").rglob("*") if path.is_file()]
        ways: dict[str, Callable[[], None]] = {
            "cellar": lambda: _run([sys.executable, "-m", "cli.main", "verify"], work),
            "quick": lambda: _run([sys.executable, "-m", "cli.main", "verify", "--quick"], work),
            "cat": lambda: _run_on(["cat"], paths),
            "sha256sum": lambda: _run_on(["sha256sum"], paths),
        }
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(_ROUNDS):
            for name, way in ways.items():
                taken[name].append(_seconds(way))
        return taken | {"megabytes": [sum(path.stat().st_size for path in paths) / 1e6]}


def _fill(work: Path, archives: int, files: int, file_bytes: int) -> None:
    program = [sys.executable, "-m", "benchmarks.verify", "fill", *map(str, (archives, files, file_bytes))]
    _run(program, work)


def _fill_store(archives: int, files: int, file_bytes: int, seed: int = 1) -> None:
    """Write archives of `cellar simulate`, each with random files beside its own, into the store of the settings; in a
    process of its own, with its own settings.
    """
    from adapters.database.migration import migrate  # noqa: PLC0415
    from cli.simulation.payloads.scenarios import simulated_archives  # noqa: PLC0415
    from tests.installations import archived  # noqa: PLC0415

    migrate()
    simulated = simulated_archives(2 * archives, seed=seed, now=datetime.now(UTC))
    for each in islice((each for each in simulated if each.expectation.status == "0"), archives):
        archived(each.reference, _with_files(each.body, files, file_bytes))


def _with_files(body: bytes, files: int, file_bytes: int) -> bytes:
    """Return a request with random files beside its own."""
    contents = [base64.b64encode(os.urandom(file_bytes)).decode() for _ in range(files)]
    added = [
        {"id": f"ADDED_{number}", "filename": f"{number}.bin", "content": each} for number, each in enumerate(contents)
    ]
    request = json.loads(body)
    return json.dumps(request | {"attachments": [*(request.get("attachments") or ()), *added]}).encode()


def _run(command: Sequence[str], work: Path) -> None:
    compiled = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = compiled | {"CELLAR_DATA_DIR": str(work)}
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _run_on(command: Sequence[str], paths: Sequence[Path]) -> None:
    given = "\0".join(map(str, paths)).encode()
    subprocess.run(["xargs", "-0", *command], input=given, check=True, stdout=subprocess.DEVNULL)


def _seconds(way: Callable[[], None]) -> float:
    begun = time.perf_counter()
    way()
    return time.perf_counter() - begun


if __name__ == "__main__":
    if sys.argv[1:2] == ["fill"]:
        _fill_store(*map(int, sys.argv[2:]))
    else:
        main()

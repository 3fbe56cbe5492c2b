"""`make bench-receiver`, second part: measures the scanner in memory, and the persisting of files.

The scanner's figures are absolute, since no other program does its work. Persisting is compared with `sha256sum` and
`cp` of the same decoded bytes, followed by a sync of the copies.
"""

import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from benchmarks.bodies import Template, body_parts, template
from benchmarks.machine import work_folder

MEASURED = Path(__file__).parent / "measured" / "scanner.json"
_ROUNDS = 5
_SCANNED_BYTES = 100_000_000
_PERSISTED_BYTES = 400_000_000
_FILES = 20
_CHUNK_BYTES = 1 << 18  # as uvloop reads from a socket


def main() -> None:
    with work_folder() as work:
        measured = {"scan": _scan(), "persist": _persist(work)}
    MEASURED.parent.mkdir(exist_ok=True)
    MEASURED.write_text(json.dumps(measured, indent=1) + "\n")


def _scan() -> dict[str, list[float]]:
    """Return GB/s of each round: plain base64 at each alignment of chunks, and with `\\/` for `/`."""
    plain = template(_SCANNED_BYTES, 1)
    escaped = template(_SCANNED_BYTES, 1, is_escaped=True)
    runs = {f"plain, shifted by {shift}": partial(_gb_per_s, plain, shift) for shift in range(4)}
    return _interleaved(runs | {"escaped": partial(_gb_per_s, escaped, 0)})


def _gb_per_s(made: Template, shift: int) -> float:
    from domain.body.scan import Scanner  # noqa: PLC0415

    body = b"".join(body_parts(made))
    chunks = [body[:shift], *(body[at : at + _CHUNK_BYTES] for at in range(shift, len(body), _CHUNK_BYTES))]
    begun = time.perf_counter()
    scanner = Scanner()
    for chunk in chunks:
        scanner.feed(chunk)
    scanner.close()
    return len(body) / (time.perf_counter() - begun) / 1e9


def _persist(work: Path) -> dict[str, list[float]]:
    """Return the seconds of each round for 400 MB of base64, decoded, hashed and written by cellar and by the shell."""
    body, files = _waiting_body(work)
    os.environ["CELLAR_DATA_DIR"] = str(work / "data")
    return _interleaved({"cellar": partial(_persisted, work, body), "sha256sum and cp": partial(_copied, work, files)})


def _waiting_body(work: Path) -> tuple[Path, list[Path]]:
    """Write a body into the inbox, and its decoded files."""
    from domain.body.scan import Scanner  # noqa: PLC0415

    first, rest = body_parts(template(_PERSISTED_BYTES, _FILES))
    waiting = work / "data" / "inbox" / "waiting"
    waiting.mkdir(parents=True)
    body = waiting / f"{hashlib.sha256(first + rest).hexdigest()}.body"
    body.write_bytes(first + rest)
    sink = _Files(work / "decoded")
    Scanner(sink).feed(first + rest)
    return body, sink.paths


class _Files:
    """A sink that writes each content to a file."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self.paths: list[Path] = []

    def begin(self, index: int) -> None:
        self.paths.append(self._folder / str(index))

    def text(self, piece: memoryview) -> None:
        """Ignore the spelling."""

    def write(self, data: bytes) -> None:
        with self.paths[-1].open("ab") as file:
            file.write(data)

    def end(self, *, is_plain: bool) -> None:
        """Do nothing: the file is complete."""


def _persisted(work: Path, body: Path) -> float:
    from adapters.database.migration import migrate  # noqa: PLC0415
    from adapters.tables.runs import receipts  # noqa: PLC0415
    from models.runs.receipt import Delivery  # noqa: PLC0415
    from services.processing.persisting import persist  # noqa: PLC0415

    reference = json.loads(body.read_bytes()[:60].partition(b",")[0] + b"}")["reference"]
    migrate()
    receipts.register_all([Delivery("1", body.stem, reference, datetime.now(UTC), body.stat().st_size, {})])
    begun = time.perf_counter()
    persist(reference, body.stem)
    taken_s = time.perf_counter() - begun
    shutil.rmtree(work / "data" / "store")
    return taken_s


def _copied(work: Path, files: list[Path]) -> float:
    target = work / "copied"
    target.mkdir()
    begun = time.perf_counter()
    subprocess.run(["sha256sum", *files], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cp", *files, target], check=True)
    subprocess.run(["sync", *target.iterdir(), target], check=True)
    taken_s = time.perf_counter() - begun
    shutil.rmtree(target)
    return taken_s


def _interleaved(runs: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    measured: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(_ROUNDS):
        for name, run in runs.items():
            measured[name].append(run())
    return measured


if __name__ == "__main__":
    main()

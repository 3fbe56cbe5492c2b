"""The note of which files of a storage were brought and compared, so that a killed pass goes on where it was.

A file on the disk of the process that brings. Without it, each file is compared once more. No erasure reaches it. So it
names each file by a digest, since keys of the store have references.
"""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from adapters.platform.durable import make_folder


@dataclass(frozen=True, slots=True)
class BroughtFile:
    """A file that is in its new place: its size and its digest there."""

    size_bytes: int
    sha256: str


class BroughtNote:
    """What was brought. Several threads may use it. `seen_in` is the number of the pass that found a key last."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._lock = Lock()
        with self._lock:
            found = connection.execute("SELECT coalesce(max(seen_in), 0) FROM brought").fetchone()
        self.pass_number: int = found[0]

    def next_pass(self) -> None:
        self.pass_number += 1

    def find(self, place: str, key: str) -> BroughtFile | None:
        wanted = "SELECT size_bytes, sha256 FROM brought WHERE place = ? AND key = ?"
        with self._lock:
            found = self._connection.execute(wanted, (place, _digest(key))).fetchone()
        return BroughtFile(*found) if found else None

    def put(self, place: str, key: str, brought: BroughtFile) -> None:
        """Note a file that was compared in this pass."""
        row = (place, _digest(key), brought.size_bytes, brought.sha256, self.pass_number)
        with self._lock:
            self._connection.execute("INSERT OR REPLACE INTO brought VALUES (?, ?, ?, ?, ?)", row)

    def size_in_pass(self, place: str, key: str) -> int | None:
        """Return the size of a file that this pass has seen; None if it has not seen the file."""
        wanted = "SELECT size_bytes FROM brought WHERE place = ? AND key = ? AND seen_in = ?"
        with self._lock:
            found = self._connection.execute(wanted, (place, _digest(key), self.pass_number)).fetchone()
        return found[0] if found else None

    def amount(self, place: str) -> tuple[int, int]:
        """Return the number and the bytes of the files that this pass has seen."""
        wanted = "SELECT count(*), coalesce(sum(size_bytes), 0) FROM brought WHERE place = ? AND seen_in = ?"
        with self._lock:
            files, size_bytes = self._connection.execute(wanted, (place, self.pass_number)).fetchone()
        return files, size_bytes


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


@contextmanager
def note_at(path: Path) -> Iterator[BroughtNote]:
    """Open a note, or begin it. Each line survives a kill; a power cut may lose the last lines."""
    make_folder(path.parent)
    with closing(sqlite3.connect(path, check_same_thread=False, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS brought (place TEXT, key TEXT, size_bytes INTEGER, sha256 TEXT, "
            "seen_in INTEGER, PRIMARY KEY (place, key)) WITHOUT ROWID"
        )
        yield BroughtNote(connection)

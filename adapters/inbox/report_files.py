"""The folder or bucket that settlement reports are put into, and which of its files have been imported.

A file is known by its name and by what tells one state of it from the next, and is marked in the store, where no
database is needed to remember it.
"""

import hashlib
import json
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from adapters.files import bucket, store
from adapters.platform.settings import settings
from adapters.store.settlement_reports import FOLDER
from models.errors import Refused, Transient

_AT_REST = timedelta(minutes=1)  # a file that is still being written ends in the middle of an amount


@dataclass(frozen=True, slots=True)
class ReportFile:
    """`state` is another when the file is."""

    name: str
    state: str

    def read(self) -> bytes:
        """Return what is in it.

        Raises:
            FileNotFoundError: it has gone.
            Refused: it cannot be read, or is a link to nothing.
        """
        location = f"{settings().settlements_location}/{self.name}"
        try:
            return bucket.read(location) if bucket.is_bucket(location) else Path(location).read_bytes()
        except (Transient, OSError) as error:
            if isinstance(error, FileNotFoundError) and not Path(location).is_symlink():
                raise
            raise Refused("UNREADABLE", f"expected a file that can be read: {type(error).__name__}") from error


def new_files(now: datetime) -> list[ReportFile]:
    """Return the reports that were not imported yet, by name. There are none where nothing is watched.

    Raises:
        Transient: folder, bucket or store does not answer.
    """
    location = settings().settlements_location
    if location is None:
        return []
    found = _in_bucket(location) if bucket.is_bucket(location) else _in_folder(Path(location), now)
    imported = {key for key, _ in store.listed(f"{FOLDER}/files")}
    return [each for each in sorted(found, key=lambda each: each.name) if _mark(each) not in imported]


def set_imported(file: ReportFile, report_id: str) -> None:
    store.keep_bytes(report_id.encode(), _mark(file))


def _in_bucket(url: str) -> Iterator[ReportFile]:
    return (ReportFile(name, tag) for name, tag in bucket.versions(url) if _is_report(name))


def _in_folder(folder: Path, now: datetime) -> list[ReportFile]:
    try:
        named = [path for path in folder.iterdir() if _is_report(path.name)]
    except OSError as error:
        raise Transient(f"the folder of settlement reports cannot be read: {type(error).__name__}") from error
    return [file for path in named if (file := _at_rest(path, now))]


def _at_rest(path: Path, now: datetime) -> ReportFile | None:
    """None where it is no file, or is being written. Why one cannot be looked at is told when it is read."""
    try:
        found = path.stat()
    except OSError:
        return ReportFile(path.name, "")
    if not stat.S_ISREG(found.st_mode) or found.st_mtime >= (now - _AT_REST).timestamp():
        return None
    return ReportFile(path.name, f"{found.st_size} {found.st_mtime_ns}")


def _is_report(name: str) -> bool:
    return name.lower().endswith(".csv") and not name.startswith(".")


def _mark(file: ReportFile) -> str:
    return f"{FOLDER}/files/{hashlib.sha256(json.dumps([file.name, file.state]).encode()).hexdigest()}"

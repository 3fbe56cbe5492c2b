"""The folder or bucket that settlement reports are put into, and which of its files have been imported.

A file is known by its name and by what tells one state of it from the next, and is marked in the store, where no
database is needed to remember it.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from adapters import bucket, store
from adapters.settings import settings
from adapters.settlement_reports import FOLDER
from models.errors import Transient

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
            Transient: the bucket does not answer, or the disk fails.
        """
        location = f"{settings().settlements_location}/{self.name}"
        if bucket.is_bucket(location):
            return bucket.read(location)
        try:
            return Path(location).read_bytes()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise Transient(f"the file {self.name} cannot be read: {type(error).__name__}") from error


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


def _in_folder(folder: Path, now: datetime) -> Iterator[ReportFile]:
    try:
        for path in folder.iterdir():
            stat = path.stat()
            if path.is_file() and _is_report(path.name) and stat.st_mtime < (now - _AT_REST).timestamp():
                yield ReportFile(path.name, f"{stat.st_size} {stat.st_mtime_ns}")
    except OSError as error:
        raise Transient(f"the folder of settlement reports cannot be read: {type(error).__name__}") from error


def _is_report(name: str) -> bool:
    return name.lower().endswith(".csv") and not name.startswith(".")


def _mark(file: ReportFile) -> str:
    return f"{FOLDER}/files/{hashlib.sha256(json.dumps([file.name, file.state]).encode()).hexdigest()}"

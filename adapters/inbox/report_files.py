"""Finds new settlement reports in the watched folder or bucket, and remembers which files were imported.

A file is identified by its name and its state. Its mark lies in the store, so remembering it needs no database.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from adapters.files.storage import Storage
from adapters.files.store import storage_at, store
from adapters.settings.settings import settings
from adapters.store.settlement_reports import FOLDER
from models.errors import Refused, Transient

_AT_REST = timedelta(minutes=1)  # a file that is still being written may end in the middle of an amount


@dataclass(frozen=True, slots=True)
class ReportFile:
    """A settlement report in the watched place. `state` changes with the file's bytes."""

    place: Storage
    name: str
    state: str

    def read(self) -> bytes:
        """Return the bytes of the file.

        Raises:
            FileNotFoundError: the file has disappeared.
            Refused: the file cannot be read, or is a broken link.
        """
        try:
            return self.place.read_bytes(self.name)
        except Transient as error:
            raise Refused("UNREADABLE", f"expected a readable file: {error}") from error


def new_files(now: datetime) -> list[ReportFile]:
    """Return the reports that were not imported yet, by name. Return none if no place is watched."""
    location = settings().settlements_location
    if location is None:
        return []
    place = storage_at(location, follows_links=True)
    found = [
        ReportFile(place, name, state)
        for name, state in place.at_rest(now - _AT_REST)
        if name.lower().endswith(".csv") and not name.startswith(".")
    ]
    imported = {key for key, _ in store().listed(f"{FOLDER}/files")}
    return [each for each in sorted(found, key=lambda each: each.name) if _mark(each) not in imported]


def set_imported(file: ReportFile, report_id: str) -> None:
    store().overwrite_bytes(report_id.encode(), _mark(file))


def _mark(file: ReportFile) -> str:
    return f"{FOLDER}/files/{hashlib.sha256(json.dumps([file.name, file.state]).encode()).hexdigest()}"

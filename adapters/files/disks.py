"""Measures the disks of the folders that cellar writes to."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from adapters.files.store import storage_at
from adapters.settings.settings import settings


@dataclass(frozen=True, slots=True)
class Disk:
    size_bytes: int
    free_bytes: int


def disks() -> dict[str, Disk]:
    """Return the disks of `data`, `inbox` and `store`. A bucket has none, and a missing folder counts by its parent."""
    locations = {"inbox": settings().inbox_location, "store": settings().store_location}
    folders: dict[str, Path | None] = {"data": settings().data_dir.absolute()}
    for place, location in locations.items():
        folders[place] = storage_at(location).suited(folder=lambda it: it.path, bucket=lambda _: None)
    return {place: _disk(folder) for place, folder in folders.items() if folder}


def _disk(folder: Path) -> Disk:
    there = next(each for each in (folder, *folder.parents) if each.exists())
    usage = shutil.disk_usage(there)
    return Disk(usage.total, usage.free)

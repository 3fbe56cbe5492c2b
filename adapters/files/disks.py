"""Measures the disks of the folders that cellar writes to."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from adapters.files.store import storage_at
from adapters.settings.settings import settings


@dataclass(frozen=True, slots=True)
class Disk:
    size_bytes: int
    free_bytes: int


def folders() -> dict[str, Path]:
    """Return the folders of `data`, `inbox` and `store`. A bucket has none; a missing folder counts by its parent."""
    locations = {"inbox": settings().inbox_location, "store": settings().store_location}
    found: dict[str, Path | None] = {"data": settings().data_dir.absolute()}
    for place, location in locations.items():
        found[place] = storage_at(location).suited(folder=lambda it: it.path, bucket=lambda _: None)
    return {place: _existing(folder) for place, folder in found.items() if folder}


def disks() -> dict[str, Disk]:
    """Return the disks of the folders."""
    usages = {place: shutil.disk_usage(folder) for place, folder in folders().items()}
    return {place: Disk(usage.total, usage.free) for place, usage in usages.items()}


def _existing(folder: Path) -> Path:
    # Path.exists fails where this user may not look.
    return next((each for each in (folder, *folder.parents) if os.path.exists(each)), folder)  # noqa: PTH110

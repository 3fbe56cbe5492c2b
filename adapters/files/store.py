"""The store: the storage where archives are kept. Other storages by their location, and the disks of folders."""

import os
import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from adapters.files.folder import Folder
from adapters.files.storage import Storage
from adapters.settings.settings import settings


@lru_cache
def storage_at(location: str, *, follows_links: bool = False) -> Storage:
    """Return the storage at a path or at a URL like s3://BUCKET/PREFIX.

    `follows_links` is for folders in which people lay files. cellar's own folders have no links.
    """
    if "://" in location:
        from adapters.files.bucket import Bucket  # noqa: PLC0415 -- a folder does not need boto3

        return Bucket(location)
    return Folder(Path(location), follows_links)


def store() -> Storage:
    """Return the storage of the archives. `ocfl` defines its layout."""
    return storage_at(settings().store_location)


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

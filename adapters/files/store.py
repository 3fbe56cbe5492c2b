"""The store: the storage where archives are kept."""

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
    """Return the storage of the archives. `ocfl` defines its layout, except for the progress of imports."""
    return storage_at(settings().store_location)


RESULTS_FOLDER = "results"


def result_key(name: str) -> str:
    """Return the key of what a run needs until it ends: the progress of an import. Earlier builds kept results here."""
    return f"{RESULTS_FOLDER}/{name}"

"""Chooses the storage of a location. No other module decides between folder and bucket."""

from functools import lru_cache
from pathlib import Path

from adapters.files.folder import Folder
from adapters.files.storage import Storage


@lru_cache
def storage_at(location: str, *, follows_links: bool = False) -> Storage:
    """Return the storage at a path or at a URL like s3://BUCKET/PREFIX.

    `follows_links` is for folders in which people lay files. cellar's own folders have no links.
    """
    if "://" in location:
        from adapters.files.bucket import Bucket  # noqa: PLC0415 -- a folder does not need boto3

        return Bucket(location)
    return Folder(Path(location), follows_links)

"""Keeps bytes in a storage as files are kept: by way of the spool."""

from pathlib import Path

from adapters.files.spool import spooled
from adapters.files.storage import Storage
from adapters.platform.durable import write_whole


def keep(data: bytes, key: str, storage: Storage) -> None:
    with spooled(storage.spool_folder) as spool:
        write_whole(spool.fileno(), data)
        storage.keep(Path(spool.name), key)

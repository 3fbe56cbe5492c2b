"""The spool: where what is to be stored is written and built first, on the store's own disk if it is a folder."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import BinaryIO, cast

from adapters.files import bucket
from adapters.platform.durable import make_folder, write_whole
from adapters.platform.settings import settings
from models.errors import Transient


@contextmanager
def spooled() -> Iterator[BinaryIO]:
    """A temporary file to write what will be kept, by `write_spooled`: it has no buffer. It lies where the store can
    take it over without a copy.

    Raises:
        Transient: the disk does not take it now. What the block raises travels as it is.
    """
    with translated():
        make_folder(spool_folder())
        file = NamedTemporaryFile(dir=spool_folder(), buffering=0)  # noqa: SIM115 -- closed below, translated too
    try:
        yield cast(BinaryIO, file)
    finally:
        with translated():
            file.close()


@contextmanager
def staging() -> Iterator[Path]:
    """A folder in which something is built that the store is to take, on the store's own disk if it is a folder.

    What writes into it translates its own errors, by `write_spooled` or `translated`.

    Raises:
        Transient: the disk does not take it now. What the block raises travels as it is.
    """
    with translated():
        make_folder(spool_folder())
        folder = TemporaryDirectory(dir=spool_folder())
    try:
        yield Path(folder.name)
    finally:
        with translated():
            folder.cleanup()


def write_spooled(file: BinaryIO, data: bytes) -> None:
    """Write to an unbuffered file in the spool folder.

    Raises:
        Transient: the disk does not take it now.
    """
    with translated():
        write_whole(file, data)


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the disk says to a write into the spool folder into one of our errors.

    Around nothing but that write: whatever else failed in the block would be called the spool's.
    """
    try:
        yield
    except OSError as error:
        raise Transient(f"the spool folder does not take more: {errno.errorcode.get(error.errno or 0)}") from error


def remove_leftovers(older_than: datetime) -> int:
    """Remove temporary files and folders that killed processes left, and return how many. Those in use are younger."""
    removed = 0
    for leftover in spool_folder().glob("*"):
        with suppress(FileNotFoundError):  # its living owner has just done with it
            if leftover.stat().st_mtime < older_than.timestamp():
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
                removed += 1
    return removed


def spool_folder() -> Path:
    """On the store's own file system, so that keeping a file is a link and no copy."""
    location = settings().store_location
    return settings().spool_dir if bucket.is_bucket(location) else Path(location) / "spool"

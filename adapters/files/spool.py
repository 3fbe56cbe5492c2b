"""The spool: the local folder in which a storage builds what it is to take."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import BinaryIO, cast

from adapters.platform.durable import make_folder, write_whole
from models.errors import Transient


@contextmanager
def spooled(folder: Path) -> Iterator[BinaryIO]:
    """A temporary file to write what will be kept, by `write_spooled`: it has no buffer. It lies where the storage can
    take it over without a copy.

    Raises:
        Transient: the disk does not take it now. Errors of the block travel as they are.
    """
    with translated():
        make_folder(folder)
        file = NamedTemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 -- closed below, translated too
    try:
        yield cast(BinaryIO, file)
    finally:
        with translated():
            file.close()


@contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """A folder in which a version is built for a storage, on the storage's own disk if it is a folder.

    Code that writes into the folder translates its own errors, by `write_spooled` or `translated`.

    Raises:
        Transient: the disk does not take it now. Errors of the block travel as they are.
    """
    with translated():
        make_folder(folder)
        built = TemporaryDirectory(dir=folder)
    try:
        yield Path(built.name)
    finally:
        with translated():
            built.cleanup()


def write_spooled(file: BinaryIO, data: bytes) -> None:
    """Write to an unbuffered file in the spool folder.

    Raises:
        Transient: the disk does not take it now.
    """
    with translated():
        write_whole(file, data)


@contextmanager
def translated() -> Iterator[None]:
    """Turn an error of a write into the spool folder into one of ours.

    Put it around that write alone: any other failure in the block would be called the spool's.
    """
    try:
        yield
    except OSError as error:
        raise Transient(f"the spool folder does not take more: {errno.errorcode.get(error.errno or 0)}") from error


def remove_leftovers(folder: Path, older_than: datetime) -> int:
    """Remove temporary files and folders that killed processes left, and return how many. Those in use are younger."""
    removed = 0
    for leftover in folder.glob("*"):
        with suppress(FileNotFoundError):  # its living owner has just removed it
            if leftover.stat().st_mtime < older_than.timestamp():
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
                removed += 1
    return removed

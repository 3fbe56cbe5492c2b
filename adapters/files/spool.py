"""The spool: the local folder where files and folders are built before they enter a storage."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import BinaryIO, cast

from adapters.platform.durable import make_folder, write_whole
from models.errors import System, Transient
from models.said import Sentence


@contextmanager
def spooled(folder: Path) -> Iterator[BinaryIO]:
    """Yield an unbuffered temporary file; write to it with `write_spooled`. A storage takes it over without a copy.

    Raises:
        Transient: the disk does not take the file now. Errors of the block are not translated.
    """
    with translated():
        make_folder(folder)
        file = NamedTemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 -- closed below, where errors are translated too
    try:
        yield cast(BinaryIO, file)
    finally:
        with translated():
            file.close()


@contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder to build a version in, on the storage's own disk if the storage is a folder.

    Code that writes into it translates its own errors, by `write_spooled` or `translated`.

    Raises:
        Transient: the disk does not take the folder now. Errors of the block are not translated.
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
        Transient: the disk does not take the data now.
    """
    with translated():
        write_whole(file.fileno(), data)


@contextmanager
def translated() -> Iterator[None]:
    """Translate errors of a write into the spool folder to Transient.

    Put it around the write alone: it would blame any other failure in the block on the spool.
    """
    try:
        yield
    except OSError as error:
        reason = Sentence.spool_full(reason=error.strerror or type(error).__name__)
        raise Transient(reason, system=System.STORE) from error


def remove_leftovers(folder: Path, older_than: datetime) -> int:
    """Remove temporary files and folders of killed processes, and return how many. Files in use are younger."""
    removed = 0
    for leftover in folder.glob("*"):
        with suppress(FileNotFoundError):  # its owner is alive and has just removed it
            if leftover.stat().st_mtime < older_than.timestamp():
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
                removed += 1
    return removed

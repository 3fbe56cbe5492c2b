"""Exports are there whole or not at all: built beside their place under another name, synced and renamed."""

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from adapters.platform.durable import sync_folder
from models.errors import Refused, Transient


@contextmanager
def built_beside(target: Path) -> Iterator[Path]:
    """Give a path where a new file or folder is built, which takes its place at the end; what is in it is synced by the
    caller.

    Raises:
        Refused: something is at `target`, or its folder is missing.
        Transient: the disk does not take it now.
        FileNotFoundError: the caller's own.
    """
    _refuse_what_is_there(target)
    if not target.parent.is_dir():
        raise Refused("FOLDER_MISSING", "expected a path in a folder that exists", where="target")
    part = target.with_name(f".{secrets.token_hex(16)}.part")
    with disk_errors():
        try:
            yield part
            _refuse_what_is_there(target)  # it may have come meanwhile
            part.rename(target)
            sync_folder(target.parent)
        finally:
            if part.is_dir():
                shutil.rmtree(part)
            part.unlink(missing_ok=True)


@contextmanager
def new_file(target: Path) -> Iterator[BinaryIO]:
    """Give a file to write into. It is at `target` once all went well, and raises what `built_beside` does."""
    with built_beside(target) as part, part.open("xb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def disk_errors() -> Iterator[None]:
    """Tell of a disk that does not take an export."""
    try:
        yield
    except FileNotFoundError:
        raise  # a source's own
    except OSError as error:
        raise Transient(f"the export could not be written: {errno.errorcode.get(error.errno or 0)}") from error


def _refuse_what_is_there(target: Path) -> None:
    """Raise Refused where something is at `target`, be it a link to nothing."""
    if target.exists() or target.is_symlink():
        raise Refused("TARGET_EXISTS", "expected a path where nothing is; remove it or choose another", where="target")

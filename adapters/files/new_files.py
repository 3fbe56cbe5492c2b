"""Writes exports whole or not at all: builds them beside their target under another name, syncs and renames them."""

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
    """Yield a path where the caller builds and syncs a new file or folder; it is renamed to `target` at the end.

    Raises:
        Refused: `target` exists, or its folder is missing.
        Transient: the disk does not take the export now.
        FileNotFoundError: raised by the block.
    """
    _refuse_what_is_there(target)
    if not target.parent.is_dir():
        raise Refused("FOLDER_MISSING", "expected a path in a folder that exists", where="target")
    part = target.with_name(f".{secrets.token_hex(16)}.part")
    with disk_errors():
        try:
            yield part
            _refuse_what_is_there(target)  # it may have appeared since the first check
            part.rename(target)
            sync_folder(target.parent)
        finally:
            if part.is_dir():
                shutil.rmtree(part)
            part.unlink(missing_ok=True)


@contextmanager
def new_file(target: Path) -> Iterator[BinaryIO]:
    """Yield a file to write into. It appears at `target` if the block succeeds. Raises as `built_beside` does."""
    with built_beside(target) as part, part.open("xb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def disk_errors() -> Iterator[None]:
    """Translate the errors of a disk that does not take an export."""
    try:
        yield
    except FileNotFoundError:
        raise  # the source of the export is missing
    except OSError as error:
        raise Transient(f"the export could not be written: {error.strerror or type(error).__name__}") from error


def _refuse_what_is_there(target: Path) -> None:
    """Raise Refused if `target` exists, even as a broken link."""
    if target.exists() or target.is_symlink():
        raise Refused(
            "TARGET_EXISTS", "expected a path that does not exist; remove it or choose another", where="target"
        )

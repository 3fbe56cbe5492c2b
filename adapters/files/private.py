"""Files for their owner alone: what cellar keeps is other people's documents and payments."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from adapters.files.storage import storage_at
from adapters.platform.settings import Settings

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_persons_umask: ContextVar[int] = ContextVar("persons_umask")


@contextmanager
def private_files() -> Iterator[None]:
    """Give whatever this process and its children write the mode 0600, and 0700 to folders.

    By the umask, since SQLite, Prefect and the log of a child know no mode. Every child inherits it, and so does a
    program that takes the place of this one.
    """
    before = os.umask(_OTHERS)
    token = _persons_umask.set(before)
    try:
        yield
    finally:
        _persons_umask.reset(token)
        os.umask(before)


@contextmanager
def persons_files() -> Iterator[None]:
    """Give what the block writes the modes of the person who started this process.

    For exports: a person asked for them, at a place of their choice, to hand them on. A share or a spool of a printer
    may be read by a group, and whoever wants an export for themselves alone has a umask that says so.
    """
    private = os.umask(_persons_umask.get())
    try:
        yield
    finally:
        os.umask(private)


def shut_folders(settings: Settings) -> None:
    """Shut others out of the folders and the database that are there already, and are this user's.

    An earlier cellar made them, or a person did, by a umask that let others read. What lies below a folder that is shut
    is out of reach, so nothing walks through a store of millions of files.
    """
    storages = [storage_at(each) for each in (settings.inbox_location, settings.store_location)]
    folders = [path for each in storages for path in each.suited(folder=lambda it: [it.path], bucket=lambda _: [])]
    scheme, _, database = settings.database_location.partition(":///")
    files = [Path(f"{database}{end}") for end in ("", "-wal", "-shm")] if scheme == "sqlite" else []
    for path in (settings.data_dir.absolute(), *folders, *files):
        with suppress(OSError):  # it is not there, or on a file system that knows no modes
            _shut(path)


def _shut(path: Path) -> None:
    """One with the sticky bit is everybody's, as /tmp is."""
    found = path.stat()
    if found.st_uid == os.geteuid() and found.st_mode & _OTHERS and not found.st_mode & stat.S_ISVTX:
        path.chmod(stat.S_IMODE(found.st_mode) & ~_OTHERS)

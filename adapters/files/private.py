"""Makes files readable for their owner alone: cellar keeps other people's documents and payments."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adapters.settings.settings import Settings

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_persons_umask: ContextVar[int | None] = ContextVar("persons_umask", default=None)


@contextmanager
def private_files() -> Iterator[None]:
    """Give files of this process and its children the mode 0600, and folders 0700.

    Uses the umask, since SQLite, Prefect and the log of a child set no mode. Every child inherits it, and so does a
    program that replaces this one.
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
    """Give files of the block the modes of the umask with which this process was started.

    For exports: a person asked for them at a place of their choice, to pass them on. A group may have to read a share
    or a printer's spool. A person who wants a private export sets the umask.
    """
    persons = _persons_umask.get()
    if persons is None:  # outside of `private_files` the umask is the person's
        yield
        return
    private = os.umask(persons)
    try:
        yield
    finally:
        os.umask(private)


def shut_folders(settings: "Settings") -> None:
    """Deny other users access to existing folders and databases of this user.

    An earlier cellar or a person may have made them with a permissive umask. Files below a closed folder are out of
    reach, so a store of millions of files need not be walked.
    """
    from adapters.files.store import storage_at  # noqa: PLC0415 -- slow, and `cellar --help` needs no storage

    storages = [storage_at(each) for each in (settings.inbox_location, settings.store_location)]
    folders = [path for each in storages for path in each.suited(folder=lambda it: [it.path], bucket=lambda _: [])]
    scheme, _, database = settings.database_location.partition(":///")
    files = [Path(f"{database}{end}") for end in ("", "-wal", "-shm")] if scheme == "sqlite" else []
    for path in (settings.data_dir.absolute(), *folders, *files):
        with suppress(OSError):  # the path is missing, or its file system has no modes
            _shut(path)


def _shut(path: Path) -> None:
    """Deny other users access to a path of this user. A sticky folder such as /tmp stays open."""
    found = path.stat()
    if found.st_uid == os.geteuid() and found.st_mode & _OTHERS and not found.st_mode & stat.S_ISVTX:
        path.chmod(stat.S_IMODE(found.st_mode) & ~_OTHERS)

"""Writes local files that survive a power cut, and digests files.

A rename is durable only once its folder is synced. With a synced file in an unsynced folder, simulated power cuts lost
every file.
"""

import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PUSHED_AT_ONCE_BYTES = 8 << 20


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Sync a folder and everything in it. The folder's own name is durable once its parent is synced.

    The disk begins with all files before the first is waited for: ten small files take two thirds of the time.
    """
    paths = list(folder.rglob("*"))
    files = [path for path in paths if path.is_file()]
    for path in files:
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # as in `pushed`
    for path in files:
        with path.open("rb") as file:
            os.fsync(file.fileno())
    for path in paths:
        if path.is_dir():
            sync_folder(path)
    sync_folder(folder)


def digest_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make_folder(folder: Path) -> None:
    """Make a folder and its missing parents, durably. An existing folder is left alone."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def write_whole(descriptor: int, data: bytes) -> None:
    """Write all of `data` to a file. A write may be partial; only the next write reports the reason."""
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def pushed(descriptor: int, pushed_bytes: int, written_bytes: int, at_once: int = _PUSHED_AT_ONCE_BYTES) -> int:
    """Let the disk begin to write a file's bytes. Otherwise the disk is idle until the sync at the end.

    Returns how many bytes the disk has begun with: the `pushed_bytes` of the next call. Linux starts to write pages
    that are declared no longer needed, and keeps pages that are not written yet.
    """
    fresh_bytes = written_bytes - pushed_bytes
    if fresh_bytes < at_once:
        return pushed_bytes
    os.posix_fadvise(descriptor, pushed_bytes, fresh_bytes, os.POSIX_FADV_DONTNEED)
    return written_bytes


def write_file(path: Path, data: bytes, first: tuple[str, int, str] | None = None) -> None:
    """Write a small file whole or not at all. The caller syncs its folder. An open part gets its name `first`, durably
    too: its path, its descriptor, and its new path. The disk begins with both before it is waited for.
    """
    part, descriptor = open_part(path.parent)
    try:
        write_whole(descriptor, data)
        if first:
            pushed(descriptor, 0, len(data), 1)
            os.fsync(first[1])
        os.fsync(descriptor)
        if first:
            os.replace(first[0], first[2])  # noqa: PTH105 -- pathlib takes as long as the call
        os.replace(part, path)  # noqa: PTH105 -- as above
    except OSError:
        Path(part).unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)


def open_part(folder: Path) -> tuple[str, int]:
    """Create a temporary file with mode 0600. It stays locked until it is closed, so `remove_parts` spares it.

    A missing folder is created. The path is a text: pathlib takes as long as the calls.
    """
    while True:
        part = f"{folder}/.{secrets.token_hex(16)}.part"
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileNotFoundError:
            make_folder(folder)
            continue
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return part, descriptor
        os.close(descriptor)  # `remove_parts` removed the file between the two calls


def remove_parts(folder: Path) -> int:
    """Remove the parts in a folder whose owner has died, and return how many."""
    return sum(_is_removed(part) for part in folder.glob(".*.part"))


def _is_removed(part: Path) -> bool:
    try:
        with part.open("r+b") as file:  # NFS locks only files that are open for writing
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.unlink()
    except (FileNotFoundError, BlockingIOError):  # its living owner has just finished with it, or is using it
        return False
    return True


@contextmanager
def held(path: Path) -> Iterator[bool]:
    """Hold the lock of a file, if no other process has it, and yield whether it is held. The file is made."""
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True

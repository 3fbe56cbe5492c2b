"""The store: where archives are kept, a folder or a bucket, by way of smart-open.

Bytes under keys. What lies where is up to `ocfl`, but for the results of Prefect's tasks.
"""

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from adapters.files import bucket
from adapters.files.spool import spool_folder, spooled, write_spooled
from adapters.platform.durable import make_folder, sync_folder
from adapters.platform.settings import settings
from models.errors import Transient, Unreadable

RESULTS = "results"
_COPY_BYTES = 1 << 20
_OF_ONE_FILE = {errno.EIO, errno.EISDIR, errno.EACCES, errno.EPERM, errno.ELOOP}
_NO_LINK_POSSIBLE = {errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK}


def result_key(name: str) -> str:
    """The result of a Prefect task, for Retry."""
    return f"{RESULTS}/{name}"


def keep(source: Path, key: str) -> None:
    """Put the file `source` under `key`, durably and whole or not at all. `source` stays.

    Raises:
        Transient: the store does not take it now.
    """
    if stored_size(key) != source.stat().st_size:
        _put(source, key, once=True)
    elif not is_bucket():
        # Whoever put it there may have been killed just before this, and a power cut would still take it away.
        sync_folder((Path(settings().store_location) / key).parent)


def digest_of(key: str) -> str | None:
    """SHA-256 in hex of the bytes stored under `key`, None where nothing is."""
    if stored_size(key) is None:
        return None
    digest = hashlib.sha256()
    for chunk in chunks(key):
        digest.update(chunk)
    return digest.hexdigest()


def keep_bytes(data: bytes, key: str) -> None:
    with spooled() as spool:
        write_spooled(spool, data)
        keep(Path(spool.name), key)


def keep_first(data: bytes, key: str) -> bool:
    """Put `data` under `key` if nothing is there, and return whether that was so: one of several wins.

    Raises:
        Transient: the store does not take it now.
    """
    if is_bucket():
        return bucket.write_first(data, _url(key))
    target = Path(settings().store_location) / key
    try:
        make_folder(target.parent)
        with spooled() as spool:
            write_spooled(spool, data)
            os.fsync(spool.fileno())
            is_first = _is_linked(Path(spool.name), target)
        sync_folder(target.parent)  # for the other too, who may have been killed before this
    except OSError as error:
        raise Transient(f"the store did not take {key}: {errno.errorcode.get(error.errno or 0)}") from error
    return is_first


def place_folder(source: Path, key: str) -> bool:
    """Rename a folder from `staging` into a store that is a folder; return whether nothing was there, and it was done.

    The folders above it that are missing come with it, in one rename: whenever its writer is killed, none is empty,
    which a storage root of OCFL must not have.

    Raises:
        Transient: the store does not take it now.
    """
    target = Path(settings().store_location) / key
    try:
        placed, place = _with_missing_folders(source, target)
        if _is_renamed(placed, place):
            return True
        if place == target:
            return False
        make_folder(target.parent)  # another has just made one of them
        return _is_renamed(placed / target.relative_to(place), target)
    except OSError as error:
        raise Transient(f"the store did not take {key}: {errno.errorcode.get(error.errno or 0)}") from error


def _with_missing_folders(source: Path, target: Path) -> tuple[Path, Path]:
    """Put a folder into new ones that are to lie above it; return the uppermost, and the place for it."""
    placed, place = source, target
    while not place.parent.is_dir():
        above = source.parent / secrets.token_hex(8)
        above.mkdir()
        os.rename(placed, above / place.name)  # noqa: PTH104 -- as below
        sync_folder(above)
        placed, place = above, place.parent
    return placed, place


def _is_renamed(source: Path, target: Path) -> bool:
    """Rename a folder, durably, unless something is there."""
    try:
        os.rename(source, target)  # noqa: PTH104 -- where tests count what takes effect
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        raise
    sync_folder(target.parent)
    return True


def listed(key: str) -> Iterator[tuple[str, int]]:
    """The keys of everything below a key, in order, with the sizes in bytes. What lies in one folder comes together.

    Raises:
        Transient: the store does not answer.
    """
    if is_bucket():
        return bucket.listed(f"{settings().store_location}/", key)
    root = Path(settings().store_location)
    return _listed_in_folder(root / key, len(str(root)) + 1)


def _listed_in_folder(folder: Path, root_length: int) -> Iterator[tuple[str, int]]:
    try:
        for each in sorted(os.scandir(folder), key=lambda each: each.name):
            if each.is_dir(follow_symlinks=False):
                yield from _listed_in_folder(Path(each.path), root_length)
            else:
                yield each.path[root_length:], each.stat(follow_symlinks=False).st_size
    except FileNotFoundError:
        return  # nothing was ever written there, or a part has just gone
    except OSError as error:
        reason = errno.errorcode.get(error.errno or 0)
        raise Transient(f"the store does not list {str(folder)[root_length:]}: {reason}") from error


def remove(key: str) -> None:
    """Remove what lies under `key`; where nothing is, nothing happens.

    Raises:
        Transient: the store does not answer.
    """
    if is_bucket():
        bucket.remove(_url(key))
        return
    try:
        (Path(settings().store_location) / key).unlink(missing_ok=True)
    except OSError as error:
        raise Transient(f"the store does not remove {key}: {errno.errorcode.get(error.errno or 0)}") from error


def remove_folder(key: str) -> None:
    """Remove everything below a key; where nothing is, nothing happens.

    Raises:
        Transient: the store does not answer, or somebody writes there meanwhile.
    """
    if is_bucket():
        for each, _ in list(listed(key)):
            bucket.remove(_url(each))
        return
    try:
        shutil.rmtree(Path(settings().store_location) / key)
    except FileNotFoundError:
        return  # nothing was there, or another removes it too
    except OSError as error:
        raise Transient(f"the store does not remove {key}: {errno.errorcode.get(error.errno or 0)}") from error


def overwrite(source: Path, key: str) -> None:
    """Put the file `source` under `key` in place of what is there, whole. `source` stays."""
    _put(source, key, once=False)


def overwrite_bytes(data: bytes, key: str) -> None:
    """Put `data` under `key` in place of what is there, whole."""
    with spooled() as spool:
        write_spooled(spool, data)
        _put(Path(spool.name), key, once=False)


def replace_bytes(before: bytes | None, data: bytes, key: str) -> bool:
    """Put `data` under `key` in place of `before`, or of nothing, and return whether `data` is there now.

    Another may change it between the look and the write: never in a bucket, within microseconds in a folder.

    Raises:
        Transient: the store does not take it now.
    """
    found = found_bytes(key)
    if found == data:
        return True
    if found != before:
        return False
    if before is None:
        return keep_first(data, key)
    if is_bucket():
        return bucket.replace(before, data, _url(key))
    overwrite_bytes(data, key)
    return True


def remove_same(data: bytes, key: str) -> bool:
    """Remove what lies under `key` if it is `data`, and return whether nothing lies there now. As `replace_bytes`."""
    found = found_bytes(key)
    if found != data:
        return found is None
    if is_bucket():
        return bucket.remove_same(data, _url(key))
    remove(key)
    return True


@contextmanager
def opened(key: str) -> Iterator[BinaryIO]:
    """The stored bytes under `key`, as a stream.

    Raises:
        FileNotFoundError: there are none.
        Unreadable: there are some, and the store does not give them.
        Transient: the store does not answer.
    """
    if is_bucket():
        with _under(key), bucket.opened(_url(key)) as stream:
            yield stream
        return
    try:
        with open(f"{settings().store_location}/{key}", "rb") as stream:  # noqa: PTH123 -- a Path costs as much as it
            yield stream
    except OSError as error:
        if stored_size(key) is None:
            raise FileNotFoundError(f"nothing is stored under {key}") from error
        if error.errno in _OF_ONE_FILE:
            raise Unreadable(key, errno.errorcode[error.errno]) from error
        raise Transient(f"the store failed to read {key}: {type(error).__name__}") from error


def read_bytes(key: str) -> bytes:
    with opened(key) as stream:
        return stream.read()


def found_bytes(key: str) -> bytes | None:
    """The bytes under `key`, None where nothing is."""
    try:
        return read_bytes(key)
    except FileNotFoundError:
        return None


def chunks(key: str) -> Iterator[bytes]:
    """The bytes under `key` in pieces."""
    with opened(key) as stream:
        # To ask for a MiB of a small file takes as long as to digest it.
        at_once = _COPY_BYTES if is_bucket() else min(_COPY_BYTES, os.fstat(stream.fileno()).st_size + 1)
        while chunk := stream.read(at_once):
            yield chunk


def stored_size(key: str) -> int | None:
    """Bytes stored under `key`, None where nothing is."""
    if is_bucket():
        with _under(key):
            return bucket.size(_url(key))
    path = Path(settings().store_location) / key
    return path.stat().st_size if path.exists() else None


def _put(source: Path, key: str, *, once: bool) -> None:
    if is_bucket():
        bucket.upload(source, _url(key), once=once)
        return
    try:
        _place(source, Path(settings().store_location) / key)
    except OSError as error:
        raise Transient(f"the store did not take {key}: {errno.errorcode.get(error.errno or 0)}") from error


def _place(source: Path, target: Path) -> None:
    """A link appears whole. Where none can be made, on another file system, a synced copy is made first."""
    make_folder(target.parent)
    with source.open("rb") as file:
        os.fsync(file.fileno())
    try:
        _link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINK_POSSIBLE:
            raise
        with spooled() as copy:
            with source.open("rb") as original:
                while chunk := original.read(_COPY_BYTES):
                    write_spooled(copy, chunk)
            os.fsync(copy.fileno())
            _link(Path(copy.name), target)
    sync_folder(target.parent)


def _link(source: Path, target: Path) -> None:
    """Let `target` be `source`, at once. What is there already is replaced by way of the spool folder."""
    with suppress(FileExistsError):
        target.hardlink_to(source)
        return
    make_folder(spool_folder())
    link = spool_folder() / secrets.token_hex(8)
    link.hardlink_to(source)
    link.replace(target)


def _is_linked(source: Path, target: Path) -> bool:
    try:
        target.hardlink_to(source)
    except FileExistsError:
        return False
    return True


def is_bucket() -> bool:
    return bucket.is_bucket(settings().store_location)


@contextmanager
def _under(key: str) -> Iterator[None]:
    """A bucket knows a key with what stands before it in its URL."""
    try:
        yield
    except Unreadable as error:
        raise Unreadable(key, error.reason) from error


def _url(key: str) -> str:
    return f"{settings().store_location}/{key}"

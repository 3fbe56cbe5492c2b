"""The store: where archives are kept, a folder or a bucket, by way of smart-open.

One object per process reference, in a folder named by the digest of the reference; in it, files by their own digest and
what belongs to a receipt by its id. No name from a payload ever becomes part of a path. Everything is written once:
under one key there is never a second content.
"""

import errno
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO, cast

from adapters import bucket
from adapters.durable import make_folder, sync_folder, write_whole
from adapters.settings import settings
from models.errors import Transient

_COPY_BYTES = 1 << 20
_NO_LINK_POSSIBLE = {errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK}


def file_key(reference: str, sha256: str) -> str:
    return f"{_object_key(reference)}/files/{sha256}"


def request_key(reference: str, receipt_id: str) -> str:
    """The raw body as it was sent: kept until the store can rebuild it from skeleton and files."""
    return f"{_object_key(reference)}/receipts/{receipt_id}/request"


def skeleton_key(reference: str, receipt_id: str) -> str:
    """The body with the index of its cut in place of each file's content."""
    return f"{_object_key(reference)}/receipts/{receipt_id}/skeleton.json"


def result_key(name: str) -> str:
    """The result of a Prefect task, for Retry."""
    return f"results/{name}"


def contents_key(reference: str, receipt_id: str) -> str:
    """The digests and sizes of the contents that were cut out, by index."""
    return f"{_object_key(reference)}/receipts/{receipt_id}/contents.json"


@contextmanager
def spooled() -> Iterator[BinaryIO]:
    """A temporary file to write what will be kept, by `write_whole`: it has no buffer. It lies where the store can take
    it over without a copy.

    Raises:
        Transient: the disk does not take it now, as found by this function or by the block.
    """
    try:
        make_folder(_spool_folder())
        with NamedTemporaryFile(dir=_spool_folder(), buffering=0) as file:
            yield cast(BinaryIO, file)
    except OSError as error:
        raise Transient(f"the spool folder does not take more: {errno.errorcode.get(error.errno or 0)}") from error


def remove_leftovers(older_than: datetime) -> int:
    """Remove the temporary files that killed processes left, and return how many. Those in use are younger."""
    removed = 0
    for leftover in _spool_folder().glob("*"):
        with suppress(FileNotFoundError):  # its living owner has just done with it
            if leftover.stat().st_mtime < older_than.timestamp():
                leftover.unlink()
                removed += 1
    return removed


def keep(source: Path, key: str) -> None:
    """Put the file `source` under `key`, durably and whole or not at all. `source` stays.

    Raises:
        Transient: the store does not take it now.
    """
    if stored_size(key) != source.stat().st_size:
        _put(source, key, once=True)
    elif not _is_bucket():
        # Whoever put it there may have been killed just before this, and a power cut would still take it away.
        sync_folder((Path(settings().store_location) / key).parent)


def keep_file(source: Path, key: str, sha256: str) -> None:
    """`keep`, for a file that is named by its digest: one that rotted in the store is mended, whatever its size."""
    found = digest_of(key)
    if found is None or found == sha256:
        keep(source, key)
    else:
        _put(source, key, once=False)


def digest_of(key: str) -> str | None:
    """SHA-256 in hex of the bytes stored under `key`, None where nothing is."""
    if stored_size(key) is None:
        return None
    with opened(key) as stream:
        digest = hashlib.sha256()
        while chunk := stream.read(_COPY_BYTES):
            digest.update(chunk)
        return digest.hexdigest()


def keep_from(location: str, key: str) -> None:
    """`keep`, for a file or for an object of a bucket, which that bucket copies by itself where the store is one too.

    Raises:
        FileNotFoundError: nothing lies there.
        Transient: the store does not take it now, or the bucket does not give it.
    """
    if not bucket.is_bucket(location):
        keep(Path(location), key)
    elif _is_bucket():
        _keep_copy(location, key)
    else:
        with bucket.opened(location) as original, spooled() as spool:
            while chunk := original.read(_COPY_BYTES):
                write_whole(spool, chunk)
            keep(Path(spool.name), key)


def _keep_copy(url: str, key: str) -> None:
    size_bytes = bucket.size(url)
    if size_bytes is None:
        raise FileNotFoundError(f"the bucket has nothing to put under {key}")
    if stored_size(key) != size_bytes:
        bucket.copy(url, _url(key))


def keep_bytes(data: bytes, key: str) -> None:
    with spooled() as spool:
        write_whole(spool, data)
        keep(Path(spool.name), key)


def overwrite_bytes(data: bytes, key: str) -> None:
    """Put `data` under `key` in place of what is there: for the results of Prefect's tasks, which no archive needs."""
    with spooled() as spool:
        write_whole(spool, data)
        _put(Path(spool.name), key, once=False)


@contextmanager
def opened(key: str) -> Iterator[BinaryIO]:
    """The stored bytes under `key`, as a stream.

    Raises:
        FileNotFoundError: there are none.
        Transient: the store does not answer.
    """
    if _is_bucket():
        with bucket.opened(_url(key)) as stream:
            yield stream
        return
    try:
        with (Path(settings().store_location) / key).open("rb") as stream:
            yield stream
    except OSError as error:
        if stored_size(key) is None:
            raise FileNotFoundError(f"nothing is stored under {key}") from error
        raise Transient(f"the store failed to read {key}: {type(error).__name__}") from error


def read_bytes(key: str) -> bytes:
    with opened(key) as stream:
        return stream.read()


def stored_size(key: str) -> int | None:
    """Bytes stored under `key`, None where nothing is."""
    if _is_bucket():
        return bucket.size(_url(key))
    path = Path(settings().store_location) / key
    return path.stat().st_size if path.exists() else None


def _put(source: Path, key: str, *, once: bool) -> None:
    if _is_bucket():
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
                    write_whole(copy, chunk)
            os.fsync(copy.fileno())
            _link(Path(copy.name), target)
    sync_folder(target.parent)


def _link(source: Path, target: Path) -> None:
    """Let `target` be `source`, at once. What is there already is replaced by way of the spool folder."""
    with suppress(FileExistsError):
        target.hardlink_to(source)
        return
    make_folder(_spool_folder())
    link = _spool_folder() / secrets.token_hex(8)
    link.hardlink_to(source)
    link.replace(target)


def _spool_folder() -> Path:
    """On the store's own file system, so that keeping a file is a link and no copy."""
    return settings().spool_dir if _is_bucket() else Path(settings().store_location) / "spool"


def _object_key(reference: str) -> str:
    digest = hashlib.sha256(reference.encode()).hexdigest()
    return f"objects/{digest[:3]}/{digest}"


def _is_bucket() -> bool:
    return bucket.is_bucket(settings().store_location)


def _url(key: str) -> str:
    return f"{settings().store_location}/{key}"

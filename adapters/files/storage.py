"""Where bytes are kept under keys: a folder or a bucket, behind one interface.

Store, inbox and the place of settlement reports are storages. Nothing but `storage_at` tells a folder from a bucket.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

if TYPE_CHECKING:
    from adapters.files.folder import Folder

R = TypeVar("R")


class Storage(ABC):
    """Bytes under keys, which are relative paths with slashes.

    A write takes effect whole or not at all. Each method raises Transient where the storage does not answer, or does
    not take something now; its own list of errors has the others.
    """

    worth_a_thread_bytes: int
    """From this size on, a thread of its own saves time when something is read and digested."""

    @property
    @abstractmethod
    def spool_folder(self) -> Path:
        """The local folder in which files and folders are built for this storage: it takes them without a copy, if it
        is a folder. See `spool`.
        """

    @property
    @abstractmethod
    def part_folder(self) -> Path:
        """The local folder in which `open_part` makes the parts for `take`."""

    @abstractmethod
    def location(self, key: str) -> str:
        """Return the path or the URL of a key, for people."""

    @abstractmethod
    def size(self, key: str) -> int | None:
        """Return the number of bytes under a key, None where there is nothing.

        Raises:
            Unreadable: the storage does not say.
        """

    @abstractmethod
    def opened(self, key: str) -> AbstractContextManager[BinaryIO]:
        """Give the bytes under a key as a stream. Entering and reading it raise:

        Raises:
            FileNotFoundError: there is nothing.
            Unreadable: there is something, and the storage does not give it.
        """

    @abstractmethod
    def chunks(self, key: str) -> Iterator[bytes]:
        """Yield the bytes under a key in pieces of 1 MiB at most. Raises as `opened` does."""

    def read_bytes(self, key: str) -> bytes:
        """Return the bytes under a key. Raises as `opened` does."""
        with self.opened(key) as stream:
            return stream.read()

    def found_bytes(self, key: str) -> bytes | None:
        """Return the bytes under a key, None where there is nothing.

        Raises:
            Unreadable: there is something, and the storage does not give it.
        """
        try:
            return self.read_bytes(key)
        except FileNotFoundError:
            return None

    def digest_of(self, key: str) -> str | None:
        """Return the SHA-256 in hex of the bytes under a key, None where there is nothing. Raises as `found_bytes`."""
        if self.size(key) is None:
            return None
        digest = hashlib.sha256()
        for chunk in self.chunks(key):
            digest.update(chunk)
        return digest.hexdigest()

    @abstractmethod
    def listed(self, key: str) -> Iterator[tuple[str, int]]:
        """Yield the keys of everything below a key, in order, with the sizes in bytes. Files of one folder come
        together.
        """

    @abstractmethod
    def names(self, pattern: str) -> list[str]:
        """Return the keys without a slash that match a pattern as `*.json`, in order."""

    @abstractmethod
    def at_rest(self, until: datetime) -> list[tuple[str, str]]:
        """Return the keys without a slash that are not being written, each with a tag that changes with the bytes.

        A file in a folder is at rest if nobody has written to it since `until`; an object in a bucket always is.
        """

    @abstractmethod
    def keep(self, source: Path, key: str) -> None:
        """Put the file `source` under a key, durably, unless something of its size is there. `source` stays.

        What has another size is damaged: a folder replaces it, a bucket refuses.
        """

    @abstractmethod
    def keep_first(self, data: bytes, key: str) -> bool:
        """Put `data` under a key, durably, if nothing is there. Return whether nothing was: one of several wins."""

    @abstractmethod
    def overwrite(self, source: Path, key: str) -> None:
        """Put the file `source` under a key, durably, in place of what is there. `source` stays."""

    @abstractmethod
    def overwrite_bytes(self, data: bytes, key: str) -> None:
        """Put `data` under a key, durably, in place of what is there."""

    @abstractmethod
    def replace_bytes(self, before: bytes | None, data: bytes, key: str) -> bool:
        """Put `data` under a key in place of `before`, or of nothing. Return whether `data` is there now.

        Another may change it between the look and the write: never in a bucket, within microseconds in a folder.
        """

    @abstractmethod
    def remove(self, key: str) -> None:
        """Remove what lies under a key, if anything does."""

    @abstractmethod
    def remove_folder(self, key: str) -> None:
        """Remove everything below a key, if anything is there. Nobody else writes there meanwhile."""

    @abstractmethod
    def remove_same(self, data: bytes, key: str) -> bool:
        """Remove `data` from a key. Return whether nothing lies there now. Otherwise as `replace_bytes`."""

    @abstractmethod
    def take(self, part: Path, descriptor: int, key: str) -> None:
        """Put a part from `part_folder`, open as `descriptor`, under a key that its bytes give. The part is gone then.

        It is durable after `sync`.
        """

    @abstractmethod
    def write(self, data: bytes, key: str) -> None:
        """Put `data` under a key without a slash, in place of what is there. It is durable after `sync`."""

    @abstractmethod
    def sync(self) -> None:
        """Make durable what `take` and `write` have put under keys without a slash."""

    @abstractmethod
    def suited(self, folder: "Callable[[Folder], R]", bucket: "Callable[[Storage], R]") -> R:
        """Return what the caller has for this implementation, where more than a method differs."""


@lru_cache
def storage_at(location: str) -> Storage:
    """Return the storage at a path, or at a URL as s3://BUCKET/PREFIX."""
    if "://" in location:
        from adapters.files.bucket import Bucket  # noqa: PLC0415 -- a folder needs nothing of boto3

        return Bucket(location)
    from adapters.files.folder import Folder  # noqa: PLC0415 -- it imports this module

    return Folder(Path(location))

"""The interface of a storage: bytes under keys, in a folder or a bucket.

The store, the inbox and the place of settlement reports are storages. Only `storage_at` chooses between folder and
bucket.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar

from adapters.platform.cancellation import checkpoint
from models.said import Said

R = TypeVar("R")


class LocalFolder(Protocol):
    """A storage in a folder, which takes a whole folder by a rename. A bucket cannot."""

    @property
    def path(self) -> Path: ...

    def place_folder(self, source: Path, key: str) -> bool: ...


class Storage(ABC):
    """Bytes under keys, which are relative paths with slashes.

    A write takes effect whole or not at all. Each method raises Transient if the storage does not answer or does not
    take the bytes now. The `Raises` of a method lists its other errors.
    """

    worth_a_thread_bytes: int
    """From this size on, reading and digesting a file is faster in a thread of its own."""

    @property
    @abstractmethod
    def spool_folder(self) -> Path:
        """The local folder where files are built for this storage. A folder takes them without a copy. See `spool`."""

    @property
    @abstractmethod
    def part_folder(self) -> Path:
        """The local folder in which `open_part` makes the parts for `take`."""

    @abstractmethod
    def location(self, key: str) -> str:
        """Return the path or the URL of a key, for people."""

    @abstractmethod
    def encryption(self) -> Said:
        """Return what encrypts the storage at rest, that nothing known does, or that this is not known."""

    @abstractmethod
    def size(self, key: str) -> int | None:
        """Return the number of bytes under a key, None if the key does not exist.

        Raises:
            Unreadable: the storage does not report the size.
        """

    @abstractmethod
    def opened(self, key: str) -> AbstractContextManager[BinaryIO]:
        """Open the bytes under a key as a stream. The errors come on entering and reading it.

        Raises:
            FileNotFoundError: the key does not exist.
            Unreadable: the key exists, and the storage does not return its bytes.
        """

    @abstractmethod
    def chunks(self, key: str) -> Iterator[bytes]:
        """Yield the bytes under a key in chunks of at most 1 MiB. Raises as `opened` does."""

    def read_bytes(self, key: str) -> bytes:
        """Return the bytes under a key. Raises as `opened` does."""
        return b"".join(self.chunks(key))

    def found_bytes(self, key: str) -> bytes | None:
        """Return the bytes under a key, None if the key does not exist.

        Raises:
            Unreadable: the key exists, and the storage does not return its bytes.
        """
        try:
            return self.read_bytes(key)
        except FileNotFoundError:
            return None

    def read_ahead(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Return the bytes under keys of small files that are read next, by key, where one request for each is slow.

        A bucket is asked for all of them at the same time. A folder returns none. A key that does not exist, or cannot
        be read, is left out: reading it by itself tells why.
        """
        return {}

    def digest_of(self, key: str) -> str | None:
        """Return the SHA-256 in hex of the bytes under a key, None if it does not exist. Raises as `found_bytes`."""
        digest = hashlib.sha256()
        try:
            for chunk in self.chunks(key):
                checkpoint()
                digest.update(chunk)
        except FileNotFoundError:
            return None
        return digest.hexdigest()

    @abstractmethod
    def listed(self, key: str, strange: dict[str, str] | None = None) -> Iterator[tuple[str, int]]:
        """Yield all keys below a key with their sizes in bytes, in order; below an empty key, all keys of the storage.

        Files of one folder are adjacent.

        Args:
            key: the folder.
            strange: takes what is no file, as the listing passes it: links, pipes, devices and empty folders, each by
                its key, with what it is. A bucket has none.
        """

    @abstractmethod
    def names(self, pattern: str) -> list[str]:
        """Return the keys without a slash that match a pattern such as `*.json`, in order."""

    @abstractmethod
    def at_rest(self, until: datetime) -> list[tuple[str, str]]:
        """Return the keys without a slash that are not being written, each with a tag that changes with its bytes.

        A file in a folder is at rest if it has not been written to since `until`; an object in a bucket always is.
        """

    def do_all(self, *works: Callable[[], Any]) -> list[Any]:
        """Do independent works that ask this storage, or another server, and return their results.

        A bucket is asked at the same time, in threads. A folder answers at once, so they are done one after the other.
        """
        return [work() for work in works]

    @abstractmethod
    def keep(self, source: Path, key: str) -> None:
        """Put the file `source` under a key, durably, unless the key holds bytes of the same size. `source` stays.

        Bytes of another size are damaged: a folder replaces them, a bucket refuses.
        """

    @abstractmethod
    def keep_first(self, data: bytes, key: str) -> bool:
        """Put `data` under a key, durably, if the key is free. Return whether it was: one of several writers wins."""

    @abstractmethod
    def overwrite(self, source: Path, key: str) -> None:
        """Put the file `source` under a key, durably, and replace its bytes, if any. `source` stays."""

    @abstractmethod
    def overwrite_bytes(self, data: bytes, key: str) -> None:
        """Put `data` under a key, durably, and replace its bytes, if any."""

    @abstractmethod
    def replace_bytes(self, before: bytes | None, data: bytes, key: str) -> bool:
        """Replace `before` under a key with `data`; None means a free key. Return whether the key holds `data` now.

        In a folder, another writer may change the bytes in the microseconds between check and write; never in a bucket.
        """

    @abstractmethod
    def remove(self, key: str) -> None:
        """Remove a key, if it exists."""

    def remove_all(self, keys: Iterable[str]) -> None:
        """Remove those of the keys that exist."""
        self.do_all(*(partial(self.remove, each) for each in keys))

    @abstractmethod
    def remove_folder(self, key: str) -> None:
        """Remove all keys below a key, if any. The caller ensures that nobody else writes there."""

    @abstractmethod
    def remove_same(self, data: bytes, key: str) -> bool:
        """Remove a key that holds `data`. Return whether the key is free now. Races as `replace_bytes` does."""

    @abstractmethod
    def erase(self, key: str) -> datetime | None:
        """Remove a key and all keys below it, durably, with all their earlier versions. Idempotent.

        Returns:
            Until when an Object Lock keeps versions; None if nothing is left.
        """

    @abstractmethod
    def erase_earlier(self, key: str) -> datetime | None:
        """Remove the versions that a key had before its present bytes. Returns as `erase` does."""

    @abstractmethod
    def locked_until(self, key: str) -> datetime | None:
        """Return until when an Object Lock keeps the bytes under a key; None if there is no lock."""

    @abstractmethod
    def take(self, part: str, descriptor: int, key: str, record: tuple[str, bytes] | None = None) -> None:
        """Move an open part of `part_folder` to a key made from its bytes, then `write` a record. Durable by `sync`."""

    @abstractmethod
    def write(self, data: bytes, key: str) -> None:
        """Put `data` under a key without a slash, and replace its bytes, if any. Durable after `sync`."""

    @abstractmethod
    def sync(self) -> None:
        """Make durable the keys without a slash that `take` and `write` have written."""

    @abstractmethod
    def suited(self, folder: Callable[[LocalFolder], R], bucket: "Callable[[Storage], R]") -> R:
        """Call the function for this implementation and return its result: for differences larger than a method."""

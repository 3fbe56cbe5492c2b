"""A shelf keeps things under names: a folder, or a prefix in a bucket."""

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from adapters.files import bucket
from adapters.platform.durable import make_folder, sync_folder, write_file
from adapters.platform.settings import settings


@lru_cache
def shelf_at(location: str) -> "Shelf":
    return Bucket(location) if bucket.is_bucket(location) else Folder(Path(location))


@dataclass(frozen=True, slots=True)
class Folder:
    """Its errors are OSError, and FileNotFoundError where a name is not taken."""

    path: Path

    @property
    def spool(self) -> Path:
        """Where a body is written before it has its name: here, so that it takes the name by a rename."""
        return self.path

    def take(self, part: Path, descriptor: int, name: str) -> None:
        """Make the part, open as `descriptor`, what lies under `name`; durable once the shelf is settled."""
        os.fsync(descriptor)
        try:
            os.replace(part, f"{self.path}/{name}")  # noqa: PTH105 -- pathlib takes as long as the call
        except FileNotFoundError:
            make_folder(self.path)
            part.replace(self.path / name)

    def write(self, data: bytes, name: str) -> None:
        write_file(self.path / name, data)

    def settle(self) -> None:
        """Make durable what was taken and written."""
        sync_folder(self.path)

    def location(self, name: str) -> str:
        return str(self.path / name)

    def names(self, pattern: str) -> list[str]:
        return sorted(path.name for path in self.path.glob(pattern))

    def has(self, name: str) -> bool:
        return (self.path / name).exists()

    def opened(self, name: str) -> AbstractContextManager[BinaryIO]:
        return (self.path / name).open("rb")

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def remove(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Its errors are Transient, FileNotFoundError where a name is not taken, and OSError of the local spool."""

    url: str

    @property
    def spool(self) -> Path:
        """Where a body is written before it is uploaded. Never synced: what counts is that the bucket has it."""
        return settings().spool_dir

    def take(self, part: Path, _descriptor: int, name: str) -> None:
        """Upload the part, once. The name is the digest of its bytes: what has their size is the same, and what has
        another was damaged and is mended.
        """
        found = bucket.size(self.location(name))
        if found != part.stat().st_size:
            bucket.upload(part, self.location(name), once=found is None)
        part.unlink()

    def write(self, data: bytes, name: str) -> None:
        bucket.write(data, self.location(name))

    def settle(self) -> None:
        """Nothing to do: an upload that is answered is durable."""

    def location(self, name: str) -> str:
        return f"{self.url}/{name}"

    def names(self, pattern: str) -> list[str]:
        return sorted(name for name in bucket.names(self.url) if fnmatchcase(name, pattern))

    def has(self, name: str) -> bool:
        return bucket.size(self.location(name)) is not None

    def opened(self, name: str) -> AbstractContextManager[BinaryIO]:
        return bucket.opened(self.location(name))

    def read(self, name: str) -> bytes:
        return bucket.read(self.location(name))

    def remove(self, name: str) -> None:
        bucket.remove(self.location(name))


Shelf = Folder | Bucket

"""Finds saved payloads: files, members of tar and zip files, and objects of a bucket.

Nothing is unpacked to a disk, so no name of a member acts as a path. Hidden files, which file managers leave, are
skipped, and so is every member that is no regular file.
"""

import bz2
import gzip
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, cast
from zipfile import BadZipFile, ZipFile

from adapters.files.storage import Storage
from adapters.files.store import storage_at
from models.errors import Refused

DAMAGE = (EOFError, BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, NotImplementedError)
"""The errors of reading a damaged or encrypted tar, zip or gz file."""
_TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_DECOMPRESSED: tuple[tuple[tuple[str, ...], Callable[[Any], Any]], ...] = (
    ((".gz", ".tgz"), lambda stream: gzip.GzipFile(fileobj=stream)),
    ((".bz2", ".tbz2"), bz2.BZ2File),
    ((".xz", ".txz"), lzma.LZMAFile),
)
_MOST_AT_ONCE_BYTES = 16 << 20
_ENCRYPTED = 0x1
_FOLDER_OF_MACOS = "__MACOSX"


@dataclass(frozen=True, slots=True)
class SavedFile:
    """A file or an object with saved payloads: one, or as a tar or zip file many."""

    place: Storage
    key: str
    size_bytes: int

    @property
    def name(self) -> str:
        """The path or the URL, for people."""
        return printable(self.place.location(self.key))


@dataclass(frozen=True, slots=True)
class Saved:
    """A saved payload. Its stream is read before the next payload is asked for.

    `read_bytes`: how many bytes of its file were read before it.
    """

    name: str
    stream: IO[bytes]
    read_bytes: int


def saved_files(locations: Iterable[str]) -> Iterator[SavedFile]:
    """Yield the files at or below paths and s3:// URLs, in order.

    Raises:
        Refused: there is nothing at a location that this process can read.
    """
    for location in locations:
        if _is_url(location) and not location.startswith("s3://"):
            raise Refused("NOT_SUPPORTED", f"expected a path or an s3:// URL, got {location}")
        files = _at(location.rstrip("/") or "/")
        first = next(files, None)
        if first is None and (_is_url(location) or not Path(location).is_dir()):
            raise Refused("NOTHING_THERE", f"expected a readable file, folder or prefix, got nothing at {location}")
        if first is not None:
            yield first
            yield from files


def payloads(file: SavedFile) -> Iterator[Saved]:
    """Yield the payloads of a file, in its order.

    Raises:
        FileNotFoundError: the file has been removed.
        Transient: folder or bucket does not return the file; Unreadable if it does so for this file alone.
        Any of DAMAGE: the file is no whole tar, zip or gz file. Payloads before the damage were yielded.
    """
    with ExitStack() as stack:
        raw = stack.enter_context(file.place.opened(file.key))
        if file.key.lower().endswith(".zip"):
            yield from _in_zip(file, raw)
        elif file.key.lower().endswith(_TARS):
            yield from _in_tar(file, raw)
        else:
            yield Saved(file.name, _decompressed(file.key, raw), 0)


def printable(name: str) -> str:
    """Return a name of a file as valid text: a name on a disk may be any bytes."""
    return name.encode(errors="backslashreplace").decode()


def _at(location: str) -> Iterator[SavedFile]:
    place = storage_at(location, follows_links=True)
    if not _is_url(location) and Path(location).is_file():
        yield _alone(location)
        return
    found = False
    for key, size_bytes in place.listed(""):
        found = True
        if not _is_hidden(key) and (_is_url(location) or Path(place.location(key)).is_file()):
            yield SavedFile(place, key, size_bytes)
    if not found and _is_url(location) and location.count("/") > 2:
        single = _alone(location)
        if single.size_bytes >= 0:
            yield single


def _alone(location: str) -> SavedFile:
    """Return the file at a location; its size is negative if it does not exist."""
    folder, _, key = location.rpartition("/")
    place = storage_at(folder or "/", follows_links=True)
    size_bytes = place.size(key)
    return SavedFile(place, key, -1 if size_bytes is None else size_bytes)


def _in_zip(file: SavedFile, raw: BinaryIO) -> Iterator[Saved]:
    with ZipFile(raw) as opened:
        read_bytes = 0
        for member in opened.infolist():
            if not member.is_dir() and not _is_hidden(member.filename):
                if member.flag_bits & _ENCRYPTED:
                    raise NotImplementedError("a member is encrypted")
                with opened.open(member) as stream:
                    name = printable(f"{file.name}!{member.filename}")
                    yield Saved(name, _decompressed(member.filename, stream), read_bytes)
            read_bytes += member.compress_size


def _in_tar(file: SavedFile, raw: BinaryIO) -> Iterator[Saved]:
    bounded: Any = _Bounded(_decompressed(file.key, raw))
    # `r:` reads forward only, as long as each member is read before the next.
    with tarfile.open(fileobj=bounded, mode="r:") as opened:
        while (member := opened.next()) is not None:
            opened.members.clear()  # type: ignore[attr-defined]  # else every member of years stays in memory
            content = opened.extractfile(member) if member.isreg() and not _is_hidden(member.name) else None
            if content is not None:
                name = printable(f"{file.name}!{member.name}")
                yield Saved(name, _decompressed(member.name, content), raw.tell())


def _decompressed(name: str, stream: IO[bytes]) -> IO[bytes]:
    for suffixes, opened in _DECOMPRESSED:
        if name.lower().endswith(suffixes):
            made: Any = _Decompressed(opened(stream))
            return cast(IO[bytes], made)
    return stream


class _Decompressed:
    """A decompressed stream. Its errors of damage are in DAMAGE: as OSErrors they would look like those of a disk."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.tell = stream.tell

    def read(self, size: int = -1) -> bytes:
        with _damage_told():
            return self._stream.read(size)

    def seek(self, offset: int) -> int:
        with _damage_told():
            return self._stream.seek(offset)


class _Bounded:
    """A stream that refuses a huge read: the header of a hostile tar file may announce gigabytes of names."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.tell, self.seek = stream.tell, stream.seek

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _MOST_AT_ONCE_BYTES:
            raise tarfile.ReadError("a header announces too many bytes")
        return self._stream.read(size)


@contextmanager
def _damage_told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno is not None:
            raise
        raise tarfile.ReadError("the compressed data are damaged") from error


def _is_hidden(key: str) -> bool:
    parts = [part for part in key.split("/") if part not in (".", "..")]
    return any(part.startswith(".") or part == _FOLDER_OF_MACOS for part in parts)


def _is_url(location: str) -> bool:
    return "://" in location

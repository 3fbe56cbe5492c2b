"""A storage in a folder, local or mounted."""

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Any, BinaryIO

from adapters.files.encryption import encryption_of
from adapters.files.spool import spooled, write_spooled
from adapters.files.storage import LocalFolder, R, Storage
from adapters.platform.durable import make_folder, sync_folder, write_file
from models.errors import System, Transient, Unreadable
from models.said import Said, Sentence
from models.store.fixity import EMPTY_FOLDER

_COPY_BYTES = 1 << 20
_NOTHING_THERE = {errno.ENOENT, errno.ENOTDIR}
_OF_ONE_FILE = {errno.EIO, errno.EISDIR, errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENOENT, errno.ENXIO}
_LINK = "a symbolic link"
_KINDS = {stat.S_ISDIR: "a folder", stat.S_ISLNK: _LINK, stat.S_ISFIFO: "a pipe", stat.S_ISSOCK: "a socket"}
_PLACES = "CELLAR_STORE_URL, CELLAR_INBOX_URL and CELLAR_DATA_DIR"
_NO_LINK_POSSIBLE = {errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK}


@dataclass(frozen=True)
class Folder(Storage):
    """A folder. Links, pipes and devices below it are never followed or opened; the folder itself may be a link.

    `follows_links` is for folders in which people lay files.
    """

    path: Path
    follows_links: bool = False
    worth_a_thread_bytes = 4 << 20  # below this size, threads wait longer for the interpreter than for the disk

    @property
    def spool_folder(self) -> Path:
        """A folder on the same file system, so that keeping a file takes a link and no copy."""
        return self.path / "spool"

    @property
    def part_folder(self) -> Path:
        """The folder itself, so that a part gets its name by a rename."""
        return self.path

    def location(self, key: str) -> str:
        return f"{self.path}/{key}"

    def encryption(self) -> Said:
        return encryption_of(self.path)

    def size(self, key: str) -> int | None:
        try:
            return os.stat(f"{self.path}/{key}", follow_symlinks=self.follows_links).st_size  # noqa: PTH116 -- as below
        except OSError as error:
            if error.errno in _NOTHING_THERE:
                return None
            raise _transient("return", key, error) from error

    @contextmanager
    def opened(self, key: str) -> Iterator[BinaryIO]:
        descriptor, _ = self._open(key)
        with BufferedReader(_File(descriptor, key)) as stream:
            yield stream

    def chunks(self, key: str) -> Iterator[bytes]:
        descriptor, size_bytes = self._open(key)
        try:
            # Reading 1 MiB at once takes as long for a small file as digesting it.
            at_once = min(_COPY_BYTES, size_bytes + 1)
            while chunk := _read(descriptor, at_once, key):
                yield chunk
        finally:
            os.close(descriptor)

    def _open(self, key: str) -> tuple[int, int]:
        """Return the descriptor and the size of a file. Opening a pipe would wait for a writer, hence O_NONBLOCK."""
        path = f"{self.path}/{key}"  # a Path costs as much as the call
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if self.follows_links else os.O_NOFOLLOW)
        try:
            descriptor = os.open(path, flags)
        except OSError as error:
            # A link to nothing is there; a file that came since the call was not.
            if error.errno in _NOTHING_THERE and not Path(path).is_symlink():
                raise FileNotFoundError(f"nothing lies under {key}") from error
            raise _transient("return", key, error) from error
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            os.close(descriptor)
            raise Unreadable(key, f"it is {_kind(found.st_mode)}, not a file")
        return descriptor, found.st_size

    def listed(self, key: str, strange: dict[str, str] | None = None) -> Iterator[tuple[str, int]]:
        strange = {} if strange is None else strange
        top = str(self.path / key)
        if key and not self.follows_links and os.path.islink(top):  # noqa: PTH114 -- as below
            strange[key] = _LINK
            return iter(())
        return self._listed(top, strange)

    def _listed(self, folder: str, strange: dict[str, str]) -> Iterator[tuple[str, int]]:
        root_length = len(str(self.path)) + 1
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda each: each.name)
            if not entries:
                strange[folder[root_length:]] = EMPTY_FOLDER
            for each in entries:
                if each.is_dir(follow_symlinks=False):
                    yield from self._listed(each.path, strange)
                    continue
                its = each.stat(follow_symlinks=False)
                if self.follows_links or stat.S_ISREG(its.st_mode):
                    yield each.path[root_length:], its.st_size
                else:
                    strange[each.path[root_length:]] = _kind(its.st_mode)
        except FileNotFoundError:
            return  # nothing was ever written there, or a part has just been removed
        except OSError as error:
            failed = _transient("list", folder, error)
            failed.add_note(f"check {_PLACES}, and that this user may read there")
            raise failed from error

    def names(self, pattern: str) -> list[str]:
        with _ours("list", pattern):
            return sorted(path.name for path in self.path.glob(pattern))

    def at_rest(self, until: datetime) -> list[tuple[str, str]]:
        with _ours("list", self.path.name):
            tags = [(path.name, _tag(path, until)) for path in self.path.iterdir()]
        return [(name, tag) for name, tag in tags if tag is not None]

    def keep(self, source: Path, key: str) -> None:
        with _ours("store", key):
            size_bytes = source.stat().st_size
        if self.size(key) != size_bytes:
            self.overwrite(source, key)
            return
        with _ours("store", key):
            # The writer of the existing file may have been killed before it synced: a power cut would lose the file.
            sync_folder((self.path / key).parent)

    def keep_first(self, data: bytes, key: str) -> bool:
        target = self.path / key
        with _ours("store", key), spooled(self.spool_folder) as spool:
            make_folder(target.parent)
            write_spooled(spool, data)
            os.fsync(spool.fileno())
            is_first = _is_linked(Path(spool.name), target)
            sync_folder(target.parent)  # the writer that was first may have been killed before it synced
        return is_first

    def overwrite(self, source: Path, key: str) -> None:
        """Link `source` to its key: a link appears whole. On another file system, link a synced copy instead."""
        target = self.path / key
        with _ours("store", key):
            make_folder(target.parent)
            with source.open("rb") as file:
                os.fsync(file.fileno())
            try:
                self._link(source, target)
            except OSError as error:
                if error.errno not in _NO_LINK_POSSIBLE:
                    raise
                self._link_copy(source, target)
            sync_folder(target.parent)

    def overwrite_bytes(self, data: bytes, key: str) -> None:
        with spooled(self.spool_folder) as spool:
            write_spooled(spool, data)
            self.overwrite(Path(spool.name), key)

    def replace_bytes(self, before: bytes | None, data: bytes, key: str) -> bool:
        found = self.found_bytes(key)
        if found == data or found != before:
            return found == data
        if before is None:
            return self.keep_first(data, key)
        self.overwrite_bytes(data, key)
        return True

    def remove(self, key: str) -> None:
        with _ours("remove", key):
            (self.path / key).unlink(missing_ok=True)

    def remove_folder(self, key: str) -> None:
        with _ours("remove", key), suppress(FileNotFoundError):  # it never existed, or another process removes it too
            shutil.rmtree(self.path / key)

    def remove_same(self, data: bytes, key: str) -> bool:
        found = self.found_bytes(key)
        if found != data:
            return found is None
        self.remove(key)
        return True

    def erase(self, key: str) -> None:
        """Remove folders that become empty too: an OCFL storage root must not contain any."""
        path = self.path / key
        with _ours("remove", key):
            with suppress(FileNotFoundError):  # it never existed, or another process removes it too
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            above = path.parent
            with suppress(OSError):  # something else lies there
                while above != self.path:
                    above.rmdir()
                    above = above.parent
            while not above.is_dir():
                above = above.parent
            sync_folder(above)

    def erase_earlier(self, key: str) -> None:
        """Do nothing: a folder has no earlier versions."""

    def locked_until(self, key: str) -> None:
        """Return None: a folder has no lock."""

    def take(self, part: str, descriptor: int, key: str, record: tuple[str, bytes] | None = None) -> None:
        with _ours("store", key):
            if record:
                write_file(self.path / record[0], record[1], (part, descriptor, f"{self.path}/{key}"))
                return
            os.fsync(descriptor)
            make_folder(self.path)
            os.replace(part, f"{self.path}/{key}")  # noqa: PTH105 -- pathlib takes as long as the call

    def write(self, data: bytes, key: str) -> None:
        with _ours("store", key):
            write_file(self.path / key, data)

    def sync(self) -> None:
        with _ours("store", self.path.name):
            sync_folder(self.path)

    def suited(self, folder: Callable[[LocalFolder], R], bucket: Callable[[Storage], R]) -> R:
        return folder(self)

    def place_folder(self, source: Path, key: str) -> bool:
        """Rename a folder from `staging` to a key, durably, unless something is there; return whether it was renamed.

        Missing parent folders come with it in the same rename. So no folder is ever empty, even when the writer is
        killed: an OCFL storage root must not contain empty folders.

        Raises:
            Transient: the disk does not take the folder now.
        """
        target = self.path / key
        with _ours("store", key):
            placed, place = _with_missing_folders(source, target)
            if _is_renamed(placed, place):
                return True
            if place == target:
                return False
            make_folder(target.parent)  # another process has just made one of the parents
            return _is_renamed(placed / target.relative_to(place), target)

    def _link(self, source: Path, target: Path) -> None:
        """Make `target` a link to `source` in one step. An existing file is replaced by a link in the spool folder."""
        if not _is_linked(source, target):
            make_folder(self.spool_folder)
            link = self.spool_folder / secrets.token_hex(8)
            link.hardlink_to(source)
            link.replace(target)

    def _link_copy(self, source: Path, target: Path) -> None:
        with spooled(self.spool_folder) as copy:
            with source.open("rb") as original:
                while chunk := original.read(_COPY_BYTES):
                    write_spooled(copy, chunk)
            os.fsync(copy.fileno())
            self._link(Path(copy.name), target)


class _File(FileIO):
    """A file whose reads raise the errors of `Storage.opened`. A block would also translate the caller's errors."""

    def __init__(self, descriptor: int, key: str) -> None:
        super().__init__(descriptor)
        self._key = key

    def readinto(self, buffer: Any) -> Any:
        with _ours("return", self._key):
            return super().readinto(buffer)

    def readall(self) -> Any:
        with _ours("return", self._key):
            return super().readall()


def _read(descriptor: int, most_bytes: int, key: str) -> bytes:
    try:
        return os.read(descriptor, most_bytes)
    except OSError as error:
        raise _transient("return", key, error) from error


def _kind(mode: int) -> str:
    """Return what a mode belongs to, for people."""
    return next((name for is_kind, name in _KINDS.items() if is_kind(mode)), "a device")


def _with_missing_folders(source: Path, target: Path) -> tuple[Path, Path]:
    """Move a folder into new folders for the missing parents of `target`; return the topmost folder and its target."""
    placed, place = source, target
    while not place.parent.is_dir():
        above = source.parent / secrets.token_hex(8)
        above.mkdir()
        os.rename(placed, above / place.name)  # noqa: PTH104 -- as below
        sync_folder(above)
        placed, place = above, place.parent
    return placed, place


def _is_renamed(source: Path, target: Path) -> bool:
    """Rename a folder, durably, and return True, unless `target` exists."""
    try:
        os.rename(source, target)  # noqa: PTH104 -- where tests count what takes effect
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        raise
    sync_folder(target.parent)
    return True


def _is_linked(source: Path, target: Path) -> bool:
    """Make `target` a link to `source` and return True, unless `target` exists."""
    with suppress(FileExistsError):
        target.hardlink_to(source)
        return True
    return False


def _tag(path: Path, until: datetime) -> str | None:
    """Return a file's tag; None if it is no file or is being written; empty if unreadable, so a read reports why."""
    try:
        found = path.stat()
    except OSError:
        return ""
    if not stat.S_ISREG(found.st_mode) or found.st_mtime >= until.timestamp():
        return None
    return f"{found.st_size} {found.st_mtime_ns}"


@contextmanager
def _ours(verb: str, key: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _transient(verb, key, error) from error


def _transient(verb: str, key: str, error: OSError) -> Transient:
    reason = error.strerror or type(error).__name__
    if verb == "return" and error.errno in _OF_ONE_FILE:
        return Unreadable(key, reason)
    failed = Sentence[f"storage_{verb}"](storage=Sentence.the_folder(), reason=reason)
    return Transient(failed, system=System.STORE, key=key)

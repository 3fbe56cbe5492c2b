"""Brings the files of a storage into another storage, several at once, and compares each by its digest."""

import hashlib
import re
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from contextvars import copy_context
from dataclasses import dataclass, field
from pathlib import Path

from adapters.files.brought import BroughtFile, BroughtNote
from adapters.files.spool import spooled, write_spooled
from adapters.files.storage import Storage
from adapters.inbox import restore_mark
from adapters.platform.cancellation import checkpoint, one_fate
from models.errors import Conflict, Unreadable
from models.store.fixity import EMPTY_FOLDER

_AT_ONCE = 16
_IN_MEMORY_BYTES = 8 << 20
_WRITE_ONCE = re.compile(r"archives/.*/v\d+/content/|events/bodies/|(waiting|imported|quarantine)/[0-9a-f]{64}\.body$")
"""Keys whose bytes never change. A file under another key is read again in each pass."""
_TEMPORARY = re.compile(r"spool/|(.*/)?\.[0-9a-f]+\.part$|(.*/)?\.probe$")

OnBytes = Callable[[int], None]


@dataclass(slots=True)
class Found:
    """What one pass over a storage has found: keys that cannot be read, and how many files were new to the note."""

    unread: list[str] = field(default_factory=list)
    new: int = 0


@dataclass(frozen=True, slots=True)
class Pair:
    """A storage, the one that its files are brought to, and what they are: `store` or `inbox`."""

    name: str
    source: Storage
    target: Storage


def bring(pair: Pair, note: BroughtNote, on_bytes: OnBytes) -> Found:
    """Bring every file of a storage that is not yet in its new place, and note that this pass has seen it.

    Programs may be at work in the first storage: a file that disappears meanwhile is left to the next pass.

    Args:
        note: what earlier passes have brought.
        on_bytes: called with the size of each file that is done.

    Raises:
        Conflict: the new storage does not give back what was written.
    """
    found, begun, strange = Found(), set[Future[bool | str]](), dict[str, str]()
    with ThreadPoolExecutor(_AT_ONCE) as threads, one_fate():
        for key, size_bytes in files(pair.source, strange):
            checkpoint()
            begun.add(threads.submit(copy_context().run, _brought, pair, note, key, size_bytes, on_bytes))
            if len(begun) >= 4 * _AT_ONCE:
                done, begun = wait(begun, return_when=FIRST_COMPLETED)
                _take(done, found)
        _take(begun, found)
    found.unread += [f"{pair.name}: {key}: it is {what}" for key, what in strange.items() if what != EMPTY_FOLDER]
    return found


def files(storage: Storage, strange: dict[str, str] | None = None) -> Iterator[tuple[str, int]]:
    """Yield the keys of a storage with their sizes, without temporary files and the mark of a restore.

    Args:
        strange: takes what is no file, as `Storage.listed` does.
    """
    found = storage.listed("", strange)
    return ((key, size) for key, size in found if not _TEMPORARY.match(key) and key != restore_mark.NAME)


def remove_surplus(pair: Pair, note: BroughtNote) -> int:
    """Remove from the new storage what the old storage no longer has, and compare the sizes of everything else.

    Returns:
        How many files the old storage has got since the last pass, which brings them.

    Raises:
        Conflict: a file of the new storage has another size than was brought.
    """
    missed = 0
    for key, size_bytes in files(pair.target):
        checkpoint()
        expected = note.size_in_pass(pair.name, key)
        if expected is None and pair.source.size(key) is None:
            _remove(pair.target, key)
        elif expected is None:
            missed += 1
        elif expected != size_bytes:
            raise _differs(pair, key, f"{expected} bytes", f"{size_bytes} bytes")
    return missed


def _remove(storage: Storage, key: str) -> None:
    """Remove a file, and in a folder the folders that are empty then: the store must not contain empty folders."""
    storage.remove(key)
    storage.suited(folder=lambda it: _remove_empty(it.path, key), bucket=lambda _: None)


def _remove_empty(top: Path, key: str) -> None:
    for above in [*Path(key).parents][:-1]:
        try:
            (top / above).rmdir()
        except OSError:  # something else lies there
            return


def _take(done: set[Future[bool | str]], found: Found) -> None:
    for each in done:
        result = each.result()
        if isinstance(result, str):
            found.unread.append(result)
        else:
            found.new += result


def _brought(pair: Pair, note: BroughtNote, key: str, size_bytes: int, on_bytes: OnBytes) -> bool | str:
    """Bring a file, and return whether it was new; the key and the reason if it cannot be read."""
    known = note.find(pair.name, key)
    if known is None or known.size_bytes != size_bytes or not _WRITE_ONCE.match(key):
        try:
            known_before, known = known, _compared(pair, key, known)
        except FileNotFoundError:
            return False
        except Unreadable as error:
            return f"{pair.name}: {error.key}: {error.reason}"
        note.put(pair.name, key, known)
        on_bytes(size_bytes)
        return known != known_before
    note.put(pair.name, key, known)
    on_bytes(size_bytes)
    return False


def _compared(pair: Pair, key: str, known: BroughtFile | None) -> BroughtFile:
    """Bring a file whose bytes the new storage may not have, read it back there, and return what it is.

    Raises:
        FileNotFoundError: the old storage no longer has it.
        Unreadable: the old storage does not give it back.
        Conflict: the new storage gives back other bytes.
    """
    with ExitStack() as stack:
        data, path, brought = _read(pair, key, stack)
        if brought == known:
            return brought
        if path is not None:
            _write_large(pair.target, key, path)
        elif not (_WRITE_ONCE.match(key) and pair.target.keep_first(data, key)):
            pair.target.overwrite_bytes(data, key)
    back = hashlib.sha256()
    for chunk in pair.target.chunks(key):
        back.update(chunk)
    if back.hexdigest() != brought.sha256:
        raise _differs(pair, key, f"SHA-256 {brought.sha256}", back.hexdigest())
    return brought


def _read(pair: Pair, key: str, stack: ExitStack) -> tuple[bytes, Path | None, BroughtFile]:
    """Return the bytes of a file, or the path of a copy in the spool if it is large, and what was read."""
    digest, size_bytes, small = hashlib.sha256(), 0, list[bytes]()
    large = None
    for chunk in pair.source.chunks(key):
        digest.update(chunk)
        size_bytes += len(chunk)
        if large is None and size_bytes > _IN_MEMORY_BYTES:
            large = stack.enter_context(spooled(pair.target.spool_folder))
            write_spooled(large, b"".join(small))
            small.clear()
        if large is None:
            small.append(chunk)
        else:
            write_spooled(large, chunk)
    return b"".join(small), Path(large.name) if large else None, BroughtFile(size_bytes, digest.hexdigest())


def _write_large(target: Storage, key: str, path: Path) -> None:
    """Write a large file. Only the first write of a write-once file is locked in a bucket with Object Lock."""
    if _WRITE_ONCE.match(key) and target.size(key) is None:
        target.keep(path, key)
    else:
        target.overwrite(path, key)


def _differs(pair: Pair, key: str, expected: str, found: str) -> Conflict:
    return Conflict(f"{pair.name}: {pair.target.location(key)}: expected {expected}, found {found}; run it again")

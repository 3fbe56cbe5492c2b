"""Verifies the store: every file of every object against the digests in its inventory, every version against its
receipt, and the rows of the database against the store.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from contextvars import copy_context
from itertools import chain
from multiprocessing import get_context

from adapters.database.connections import made_engine
from adapters.files.store import store
from adapters.platform.cancellation import checkpoint, one_fate
from adapters.platform.processes import end_with
from adapters.settings.settings import settings
from adapters.store import happened, ocfl
from adapters.store.ocfl import INVENTORY
from adapters.store.tombstones import known_digests
from adapters.tables.archives import archives
from adapters.tables.archives.recorded import of_no_archive
from adapters.tables.runs import receipts
from models.discrepancies import DiscrepancyRow
from models.errors import Conflict, Transient, Unreadable
from models.runs.receipt import DeliveryRow, ReceiptRow, RunRow, VersionRow
from models.search import SearchEntryRow
from models.store.fixity import (
    EMPTY_FOLDER,
    NOTHING,
    Fault,
    Fixity,
    FixityFinding,
    StoredObject,
    strange_thing,
    unnamed,
)
from services import derived
from services.custody.object_checks import is_begun_object, wrong
from services.custody.object_rows import OF_THE_PAYLOAD, differing_rows
from services.custody.objects import Files, Opened, is_erased, listed, stored_objects

_MARK = "the mark of the store, which its first archive makes"
_OF_ARCHIVES = (VersionRow, ReceiptRow, DeliveryRow, RunRow, *OF_THE_PAYLOAD, DiscrepancyRow, SearchEntryRow)
_AT_ONCE = 4
_AHEAD = 8
_TOGETHER = 50
_TOGETHER_BYTES = 16 << 20


def absent_store() -> Fixity | None:
    """Return the finding that the store is not there: it has neither its mark nor an object. None if it is there.

    A disk that is not mounted, and a wrong CELLAR_STORE_URL, look like an empty store, which has nothing to be damaged.

    Raises:
        Transient: the store does not answer, or is no folder.
    """
    if next(stored_objects(), None) or ocfl.has_root():
        return None
    found = f"nothing at all in {settings().store_location}"
    return Fixity(0, 0, 0, (FixityFinding(ocfl.ROOT_DECLARATION, Fault.ABSENT, _MARK, found),))


@contextmanager
def helpers() -> Iterator[Executor | None]:
    """Yield processes that verify the objects of a folder beside this one. Raises Transient if one of them is ended.

    None where one processor or a bucket gains nothing, without memory to share, or where this process has threads or
    connections: copies of it would break them.
    """
    count = store().suited(folder=lambda _: len(os.sched_getaffinity(0)), bucket=lambda _: 1)
    count = min(count, _AT_ONCE - 1)  # each has a connection, and so has this process
    is_alone = threading.active_count() == 1 and not made_engine.cache_info().currsize
    if count == 1 or not is_alone or not os.access("/dev/shm", os.W_OK):  # noqa: S108 -- asked for, not written to
        yield None
        return
    processes = ProcessPoolExecutor(count, get_context("fork"), end_with, (os.getpid(),))
    processes.submit(int)  # begins them all, before this process has a thread
    try:
        yield processes
    except BrokenProcessPool as error:
        raise Transient("a process of this check was ended, perhaps for want of memory; use --resume") from error
    finally:
        processes.shutdown(cancel_futures=True)


def verify_objects(
    objects: Iterable[StoredObject],
    on_verified: Callable[[StoredObject, Fixity], None] = lambda _, __: None,
    *,
    is_quick: bool = False,
    processes: Executor | None = None,
) -> Fixity:
    """Verify objects, several at once, and report each when it is done, in the order of `objects`.

    Args:
        is_quick: check digests alone, and neither the versions against their receipts nor the rows of the database.
        processes: those of `helpers`, if any.

    Raises:
        Transient: the store does not answer. The remaining objects are not reported.
    """
    whole, waiting = NOTHING, deque[tuple[Sequence[StoredObject], Future[list[Fixity]]]]()
    with ThreadPoolExecutor(_AT_ONCE) as threads, one_fate():
        for batch in chain(_batches(objects), [[]]):
            checkpoint()
            if batch:
                waiting.append((batch, _begun(processes or threads, batch, is_quick=is_quick)))
            while waiting and (not batch or len(waiting) > _AHEAD or waiting[0][1].done()):
                verified, future = waiting.popleft()
                for each, fixity in zip(verified, future.result(), strict=True):
                    on_verified(each, fixity)
                    whole += fixity
    return whole


def _batches(objects: Iterable[StoredObject]) -> Iterator[list[StoredObject]]:
    """Yield small objects together, and each large object alone."""
    batch, size_bytes = list[StoredObject](), 0
    for each in objects:
        if batch and (_is_large(each) or len(batch) == _TOGETHER or size_bytes >= _TOGETHER_BYTES):
            yield batch
            batch, size_bytes = [], 0
        batch.append(each)
        size_bytes += each.size_bytes
        if _is_large(each):
            yield batch
            batch, size_bytes = [], 0
    if batch:
        yield batch


def _is_large(stored: StoredObject) -> bool:
    return stored.size_bytes >= store().worth_a_thread_bytes


def _begun(threads: Executor, batch: Sequence[StoredObject], *, is_quick: bool) -> Future[list[Fixity]]:
    if not isinstance(threads, ThreadPoolExecutor):
        return threads.submit(verify_together, batch, is_quick=is_quick)
    if _is_large(batch[0]):
        return threads.submit(copy_context().run, lambda: verify_together(batch, is_quick=is_quick))
    done = Future[list[Fixity]]()
    done.set_result(verify_together(batch, is_quick=is_quick))
    return done


def verify_object(stored: StoredObject, *, is_quick: bool = False) -> Fixity:
    """Verify one object: inventories, contents, versions, unknown files, deliveries, histories, the key, everything
    that the database calls complete, and the rows of the database.
    """
    return verify_together([stored], is_quick=is_quick)[0]


def verify_together(objects: Sequence[StoredObject], *, is_quick: bool = False) -> list[Fixity]:
    """Verify some small objects, as `verify_object` does, with few queries for all of them."""
    together = iter(_verified([each for each in objects if each.key], is_quick=is_quick))
    verified = [next(together) if each.key else Fixity(0, 0, 0, tuple(_outside(each))) for each in objects]
    return [
        _lasting(each, fixity, is_quick=is_quick) if each.key and fixity.findings else fixity
        for each, fixity in zip(objects, verified, strict=True)
    ]


def _lasting(stored: StoredObject, fixity: Fixity, *, is_quick: bool) -> Fixity:
    """Return the findings of an object that persist, since writers may be at work."""
    before: set[tuple[str, Fault]] = set()
    while (found := {(each.key, each.fault) for each in fixity.findings}) and found != before:
        before, (fixity,) = found, _verified([listed(stored.key)], is_quick=is_quick)
    return fixity


def _outside(stored: StoredObject) -> Iterator[FixityFinding]:
    """Find what lies outside of objects. A writer may fill an empty folder at this moment, so it is listed again."""
    yield from (unnamed(path) for path in stored.sizes if path not in ocfl.root_files())
    for path, what in stored.strange.items():
        again = {path: what}
        if what == EMPTY_FOLDER:
            again.clear()
            deque(store().listed(path, again), 0)
        if path in again:
            yield strange_thing(path, what)


def _verified(objects: Sequence[StoredObject], *, is_quick: bool) -> list[Fixity]:
    found: dict[str, list[FixityFinding]] = {each.key: [] for each in objects}
    opened = [each for stored in objects if (each := _opened(stored, found[stored.key].append))]
    completed = receipts.completed([each.reference for each in opened])
    for each in opened:
        found[each.stored.key] += wrong(each, completed[each.reference], is_quick=is_quick)
    if not is_quick and not derived.is_being_rebuilt():  # a damaged object says nothing about its rows
        sound = [each for each in opened if all(it.fault is Fault.INTERRUPTED for it in found[each.stored.key])]
        for key, its in differing_rows(sound).items():
            found[key] += its
    return [
        Fixity(1, len(each.sizes), each.size_bytes, tuple(_with_strange(each, found[each.key]))) for each in objects
    ]


def _with_strange(stored: StoredObject, found: Sequence[FixityFinding]) -> Iterator[FixityFinding]:
    named = {each.key for each in found}
    yield from dict.fromkeys(found)
    yield from (each for each in _strange(stored) if each.key not in named)


def _strange(stored: StoredObject) -> Iterator[FixityFinding]:
    """Find what is no file. A writer that was killed may leave an empty folder in the logs, as nowhere else."""
    for path, what in stored.strange.items():
        if what == EMPTY_FOLDER and path.startswith(f"{ocfl.LOGS}/"):
            yield stored.interrupted(path, "files", what)
        else:
            yield strange_thing(f"{stored.key}/{path}", what)


def _opened(stored: StoredObject, on_finding: Callable[[FixityFinding], None]) -> Opened | None:
    """Open an object, or report why not."""
    try:
        text = store().found_bytes(f"{stored.key}/{INVENTORY}")
        if text is None:
            on_finding(_without_inventory(stored))
            return None
        opened = Opened(stored, ocfl.parsed(text, stored.key), text, Files(stored))
    except Unreadable as error:
        on_finding(FixityFinding(error.key, Fault.UNREADABLE, "a readable file", error.reason))
        return None
    except Conflict:
        on_finding(stored.damaged(INVENTORY, "an inventory", "text that is not an inventory"))
        return None
    if ocfl.object_key(opened.reference) != stored.key:
        on_finding(stored.damaged(INVENTORY, "the inventory of this object", "that of another object"))
        return None
    return opened


def _without_inventory(stored: StoredObject) -> FixityFinding:
    """Return the finding for an object without an inventory. In a bucket a version is won before the root inventory."""
    if is_begun_object(stored):
        return stored.interrupted("v1", "a whole version", "not yet in the root inventory")
    return stored.missing(INVENTORY)


def missing(seen: Collection[str]) -> Fixity:
    """Find the objects that the database knows and the store does not have at all, and those that are there although
    their archives were erased; rows of archives that it does not know; and a rebuild that has not ended. Count the
    erased archives.

    Args:
        seen: the keys of the listed objects. Other objects are looked up once more.
    """
    erased = happened.erased()
    unseen = {key: each for each in archives.references() if (key := ocfl.object_key(each)) not in seen}
    gone = {key: each for key, each in unseen.items() if store().size(f"{key}/{INVENTORY}") is None}
    digests = known_digests(gone.values() if erased.archives else ())
    lost = [key for key, each in gone.items() if digests.get(each) not in erased.archives]
    found = [FixityFinding(key, Fault.MISSING, "an archived object", "nothing") for key in lost]
    for key in (key for key in seen if is_erased(key, erased)):
        found.append(FixityFinding(key, Fault.EXTRA, "nothing: the archive was erased; erase it again", "an object"))
    if derived.is_being_rebuilt():  # said once, instead of all rows that it lacks
        found.append(FixityFinding(ocfl.ROOT, Fault.DIFFERS, "a whole database", "a rebuild goes on, or was killed"))
    for table, reference in of_no_archive(_OF_ARCHIVES):
        found.append(FixityFinding(ocfl.object_key(reference), Fault.DIFFERS, "an archive", f"its {table} alone"))
    return Fixity(0, 0, 0, tuple(found), sum(erased.archives.values()))

"""Verifies the store: every file of every object against the digests in its inventory, and the keys."""

import hashlib
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from itertools import chain, groupby
from pathlib import PurePosixPath

from adapters.files.store import store
from adapters.platform.cancellation import checkpoint, one_fate
from adapters.store import history, kept_discrepancies, ocfl, seals, settlement_reports
from adapters.store.object_files import DELIVERIES
from adapters.store.ocfl import INVENTORY, LOGS, SIDECAR
from adapters.store.requests import delivered, stored_request
from adapters.tables import archives, receipts
from adapters.tables.receipts import Completed
from models.errors import Conflict, Locked, Refused, Unreadable
from models.store.fixity import NOTHING, Fault, Fixity, FixityFinding, StoredObject, unnamed
from models.store.inventory import Inventory
from services.custody.extras import extras, is_begun_object
from services.custody.kept_judgements import wrong_judgements
from services.custody.losses import losses, lost_rows

_AT_ONCE = 4
_AHEAD = 8
_PARTS_OF_AN_OBJECT = 5  # of a key: the root, three tuples, the object


def stored_objects() -> Iterator[StoredObject]:
    """Yield the objects of the store in the order of their keys. Files outside objects come as an object without a key.

    Raises:
        Transient: the store does not answer.
    """
    found = store().listed(ocfl.ROOT)
    for key, files in groupby(found, lambda each: _object_of(each[0])):
        yield StoredObject(key, {path.removeprefix(f"{key}/"): size_bytes for path, size_bytes in files})


def object_of(reference: str) -> StoredObject:
    """Return the object of a process; an object without files if the store has none."""
    return _listed(ocfl.object_key(reference))


def _listed(key: str) -> StoredObject:
    return StoredObject(key, {path.removeprefix(f"{key}/"): size_bytes for path, size_bytes in store().listed(key)})


def drawn(objects: Iterable[StoredObject], share: float, seed: int) -> Iterator[StoredObject]:
    """Draw a random share of the objects, at least one if any exist. Files outside objects are always included.

    The same seed draws the same objects again.

    Raises:
        Refused: the share is not above 0 and at most 1. A check that reads nothing must not call the store sound.
    """
    if not 0 < share <= 1:
        raise Refused("BAD_PARAMETER", "expected a share above 0 and at most 1", where="share")
    return _drawn(objects, share, seed)


def _drawn(objects: Iterable[StoredObject], share: float, seed: int) -> Iterator[StoredObject]:
    lowest: tuple[float, StoredObject] | None = None
    is_any_drawn = False
    for each in objects:
        lot = _lot(each.key, seed)
        if not each.key:
            yield each
        elif lot < share:
            is_any_drawn = True
            yield each
        elif lowest is None or lot < lowest[0]:
            lowest = lot, each
    if lowest and not is_any_drawn:
        yield lowest[1]


def _lot(key: str, seed: int) -> float:
    """Return a pseudo-random number from 0 up to 1."""
    return int.from_bytes(hashlib.sha256(f"{seed} {key}".encode()).digest()[:8]) / 2**64


def verify_objects(
    objects: Iterable[StoredObject], on_verified: Callable[[StoredObject, Fixity], None] = lambda _, __: None
) -> Fixity:
    """Verify objects, several at once, and report each when it is done, in the order of `objects`.

    Raises:
        Transient: the store does not answer. The remaining objects are not reported.
    """
    whole, waiting = NOTHING, deque[tuple[StoredObject, Future[Fixity]]]()
    with ThreadPoolExecutor(_AT_ONCE) as threads, one_fate():
        for each in chain(objects, [None]):
            checkpoint()
            if each:
                waiting.append((each, _begun(threads, each)))
            while waiting and (each is None or len(waiting) > _AHEAD or waiting[0][1].done()):
                verified, future = waiting.popleft()
                fixity = future.result()
                on_verified(verified, fixity)
                whole += fixity
    return whole


def _begun(threads: ThreadPoolExecutor, stored: StoredObject) -> Future[Fixity]:
    if sum(stored.sizes.values()) >= store().worth_a_thread_bytes:
        return threads.submit(copy_context().run, verify_object, stored)
    done = Future[Fixity]()
    done.set_result(verify_object(stored))
    return done


def verify_object(stored: StoredObject) -> Fixity:
    """Verify one object: inventories, contents, unknown files, deliveries, histories, the key, and everything
    that the database calls complete.

    Raises:
        Transient: store or database does not answer.
    """
    if not stored.key:
        return Fixity(0, 0, 0, tuple(unnamed(path) for path in stored.sizes if path not in ocfl.root_files()))
    fixity = _verified(stored)
    before: set[tuple[str, Fault]] = set()
    # Writers may be at work, so only findings that persist count.
    while (found := {(each.key, each.fault) for each in fixity.findings}) and found != before:
        before, fixity = found, _verified(_listed(stored.key))
    return fixity


def _verified(stored: StoredObject) -> Fixity:
    return Fixity(1, len(stored.sizes), sum(stored.sizes.values()), tuple(dict.fromkeys(_findings([_wrong(stored)]))))


def _wrong(stored: StoredObject) -> Iterator[FixityFinding]:
    text = store().found_bytes(f"{stored.key}/{INVENTORY}")
    if text is None:
        yield _without_inventory(stored)
        return
    try:
        inventory = ocfl.parsed(text, stored.key)
    except Conflict:
        yield stored.damaged(INVENTORY, "an inventory", "text that is not an inventory")
        return
    reference = ocfl.reference_of(inventory)
    if ocfl.object_key(reference) != stored.key:
        yield stored.damaged(INVENTORY, "the inventory of this object", "that of another object")
        return
    completed = receipts.completed(reference)
    yield from _findings(
        [
            *(_wrong_inventory(stored, inventory, text, number) for number in range(1, inventory.head + 1)),
            _wrong_sidecar(stored, inventory, text, completed),
            _wrong_declaration(stored),
            *(_wrong_content(stored, path, sha256) for sha256, path in inventory.manifest.items()),
            extras(stored, inventory),
            losses(stored, inventory, completed),
            *(_wrong_delivery(stored, reference, receipt_id) for receipt_id in delivered(stored.sizes)),
            _wrong_key(stored, reference),
            *(_wrong_history(stored, path, completed) for path in stored.sizes),
            wrong_judgements(stored),
        ]
    )


def _findings(checks: Iterable[Iterator[FixityFinding]]) -> Iterator[FixityFinding]:
    """Yield the findings of several checks. An unreadable file is a finding of its check, and ends no other check."""
    for check in checks:
        try:
            yield from check
        except Unreadable as error:
            yield FixityFinding(error.key, Fault.UNREADABLE, "a readable file", error.reason)


def missing(seen: Collection[str]) -> Fixity:
    """Find the objects that the database knows and the store does not have at all.

    Args:
        seen: the keys of the listed objects. Other objects are looked up once more.
    """
    keys = [key for reference in archives.references() if (key := ocfl.object_key(reference)) not in seen]
    gone = [key for key in keys if store().size(f"{key}/{INVENTORY}") is None]
    return Fixity(0, 0, 0, tuple(FixityFinding(key, Fault.MISSING, "an archived object", "nothing") for key in gone))


def verify_beside() -> Fixity:
    """Verify the files beside the archives: the files of the OCFL storage root, the key of the fingerprints, the
    settlement reports, which are named by their digests, and the discrepancies that belong to no archive.

    Raises:
        Transient: the store does not answer.
    """
    sizes = dict(store().listed(settlement_reports.FOLDER))
    paths = (PurePosixPath(key) for key in sizes)
    report_ids = sorted({path.stem for path in paths if str(path.parent) == settlement_reports.FOLDER})
    findings = _findings(
        [
            _wrong_root(),
            _locked(seals.FINGERPRINT_KEY, seals.check_fingerprint_key),
            *map(_wrong_report, report_ids),
            _lost_discrepancies_of_no_archive(sizes),
            *map(_wrong_discrepancies_of_no_archive, sizes),
        ]
    )
    return Fixity(0, len(sizes), sum(sizes.values()), tuple(findings))


def _wrong_root() -> Iterator[FixityFinding]:
    found = {key: store().found_bytes(key) for key in ocfl.root_files()}
    if found[ocfl.ROOT_DECLARATION] is None and next(archives.references(), None) is None:
        return  # no archive was written yet
    for key, expected in ocfl.root_files().items():
        if found[key] is None:
            yield FixityFinding(key, Fault.MISSING, "a file of the storage root", "nothing")
        elif found[key] != expected:
            yield FixityFinding(key, Fault.DAMAGED, "the file as it was written", "different content")


def _wrong_report(report_id: str) -> Iterator[FixityFinding]:
    key = settlement_reports.report_key(report_id)
    found = _digest(key)
    if found is None:
        yield FixityFinding(key, Fault.MISSING, "a settlement report", "nothing")
    elif found != report_id:
        yield FixityFinding(key, Fault.DAMAGED, report_id, found)


def _lost_discrepancies_of_no_archive(keys: Iterable[str]) -> Iterator[FixityFinding]:
    changes = kept_discrepancies.kept_changes(None)
    last = kept_discrepancies.key_of(None, changes)
    if changes and not kept_discrepancies.is_kept(last, [*keys, *kept_discrepancies.of_no_archive()]):
        yield FixityFinding(last, Fault.MISSING, "the history of discrepancies", "nothing")


def _wrong_discrepancies_of_no_archive(key: str) -> Iterator[FixityFinding]:
    of_none = key.startswith(f"{kept_discrepancies.OF_NO_ARCHIVE}/") and key.endswith(".json")
    if of_none and not history.is_whole(key):
        yield FixityFinding(key, Fault.DAMAGED, "the history as it was written", "a damaged or foreign history")


def _wrong_inventory(stored: StoredObject, inventory: Inventory, text: bytes, number: int) -> Iterator[FixityFinding]:
    path = f"v{number}/{INVENTORY}"
    of_version = store().found_bytes(f"{stored.key}/{path}")
    if of_version is None:
        yield stored.missing(path)
    elif store().found_bytes(f"{stored.key}/v{number}/{SIDECAR}") != ocfl.sidecar(of_version):
        yield stored.damaged(path, "the digest in its sidecar", "another digest")
    elif number == inventory.head and of_version != text:
        yield stored.damaged(INVENTORY, f"the inventory of v{number}", "another inventory")
    elif number < inventory.head and of_version != inventory.as_of(number).to_json():
        yield stored.damaged(path, "the root inventory up to that version", "another inventory")


def _wrong_sidecar(
    stored: StoredObject, inventory: Inventory, text: bytes, completed: Completed
) -> Iterator[FixityFinding]:
    """Check the sidecar of the root inventory. It is written last, so before that no run can complete the version."""
    if store().found_bytes(f"{stored.key}/{SIDECAR}") == ocfl.sidecar(text):
        return
    is_complete = inventory.versions[-1].message in completed.receipts
    if is_complete or text != store().found_bytes(f"{stored.key}/v{inventory.head}/{INVENTORY}"):
        yield stored.damaged(SIDECAR, "the digest of the inventory", "another digest")
    else:
        yield stored.interrupted(SIDECAR, "the digest of the inventory", "another digest")


def _wrong_declaration(stored: StoredObject) -> Iterator[FixityFinding]:
    path = ocfl.OBJECT_DECLARATION
    text = store().found_bytes(f"{stored.key}/{path}")
    if text is None:
        yield stored.missing(path)
    elif text != ocfl.declaration(path):
        yield stored.damaged(path, "the same as its name", "different content")


def _wrong_content(stored: StoredObject, path: str, sha256: str) -> Iterator[FixityFinding]:
    found = _digest(f"{stored.key}/{path}")
    if found is None:
        yield stored.missing(path)
    elif found != sha256:
        yield stored.damaged(path, sha256, f"{found}, {stored.sizes.get(path)} bytes")


def _wrong_delivery(stored: StoredObject, reference: str, receipt_id: str) -> Iterator[FixityFinding]:
    """Check that a delivery rebuilds its request, whose digest is the receipt id."""
    path = f"{LOGS}/{DELIVERIES}/{receipt_id}"
    try:
        request = stored_request(reference, receipt_id)
        is_whole = request is None or request.is_whole()
    except Locked:
        return  # `_wrong_key` reports it
    except Conflict:
        request, is_whole = None, False
    if not is_whole:
        yield stored.damaged(path, receipt_id, "files that do not rebuild it")
    elif request is None:
        yield stored.interrupted(path, "a whole delivery", "part of a delivery")


def _wrong_key(stored: StoredObject, reference: str) -> Iterator[FixityFinding]:
    """Check an archive's key. Without it, sealed values are lost although their digests are right."""
    if any(seals.is_sealed(f"{stored.key}/{path}") for path in stored.sizes):
        yield from _locked(seals.key_location(reference), lambda: seals.check_key(reference))


def _locked(location: str, check: Callable[[], None]) -> Iterator[FixityFinding]:
    try:
        check()
    except Locked as error:
        fault = Fault.MISSING if store().size(location) is None else Fault.DAMAGED
        yield FixityFinding(location, fault, "a key that CELLAR_SEAL_KEYS opens", str(error))


def _wrong_history(stored: StoredObject, path: str, completed: Completed) -> Iterator[FixityFinding]:
    if not history.is_history(path) or path.endswith(history.PUT_ASIDE):
        return
    try:
        rows = history.kept_rows(f"{stored.key}/{path}")
    except Conflict:
        yield stored.damaged(path, "the history as it was written", "a damaged or foreign history")
        return
    if rows is not None:
        yield from lost_rows(stored, path, rows, completed)


def _without_inventory(stored: StoredObject) -> FixityFinding:
    """Return the finding for an object without an inventory. In a bucket a version is won before the root inventory."""
    if is_begun_object(stored):
        return stored.interrupted("v1", "a whole version", "not yet in the root inventory")
    return stored.missing(INVENTORY)


def _digest(key: str) -> str | None:
    digest = hashlib.sha256()
    try:
        for chunk in store().chunks(key):
            checkpoint()
            digest.update(chunk)
    except FileNotFoundError:
        return None
    return digest.hexdigest()


def _object_of(path: str) -> str:
    parts = path.split("/")
    return "/".join(parts[:_PARTS_OF_AN_OBJECT]) if len(parts) > _PARTS_OF_AN_OBJECT else ""

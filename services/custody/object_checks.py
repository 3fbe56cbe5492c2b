"""Checks an object of the store: its inventories and files, and that its contents rebuild each request.

Whoever rewrites contents, inventories and sidecars consistently still contradicts the receipt id, which Cellosign was
answered.

A run writes into the object, completes its receipt, writes its history, and then removes the body from the inbox. What
the database calls complete and the object lacks is looked up again in that order, so a run that is at work causes no
finding.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import PurePosixPath

from adapters.files.store import store
from adapters.inbox import inbox
from adapters.platform.cancellation import checkpoint
from adapters.store import ocfl, seals
from adapters.store.objects import history, interrupted, judgements
from adapters.store.objects.deliveries import delivered, delivery_of, delivery_path
from adapters.store.objects.history import Rows
from adapters.store.objects.interrupted import Begun
from adapters.store.objects.requests import StoredRequest, request_in, stored_request, version_in
from adapters.store.ocfl import (
    CUTS,
    DELIVERIES,
    INVENTORY,
    LOGS,
    OBJECT_DECLARATION,
    REQUEST,
    SIDECAR,
    SKELETON,
    reference_of,
)
from adapters.tables.runs import receipts
from adapters.tables.runs.receipts import Completed
from models.archive.archive import State
from models.errors import Conflict, Locked, Unreadable
from models.store.fixity import Fault, FixityFinding, StoredObject
from models.store.inventory import Inventory
from services.custody.objects import Opened
from services.custody.verifying_records import findings, wrong_key


def wrong(opened: Opened, completed: Completed, *, is_quick: bool) -> Iterator[FixityFinding]:
    """Find everything that is wrong with an object. With `is_quick`, only digests are compared."""
    yield from findings(
        [
            _wrong_inventories(opened),
            _wrong_sidecar(opened, completed),
            _wrong_declaration(opened),
            *([] if is_quick else [_wrong_versions(opened), _wrong_times(opened)]),
            _wrong_contents(opened),
            _extras(opened.stored, opened.inventory),
            _losses(opened.stored, opened.inventory, completed),
            _wrong_deliveries(opened),
            _wrong_key(opened),
            *(_wrong_history(opened, path, completed) for path in opened.stored.sizes),
            _wrong_judgements(opened.stored),
        ]
    )


def _wrong_key(opened: Opened) -> Iterator[FixityFinding]:
    """Check an archive's key. Without it, sealed values are lost although their digests are right."""
    sizes = opened.stored.sizes
    if any(
        (path.endswith(REQUEST) or size <= _MOST_BYTES) and seals.is_sealed(path, opened.files.found)
        for path, size in sizes.items()
    ):
        reference = opened.reference
        yield from wrong_key(seals.key_location(reference), lambda: seals.check_key(reference))


def _wrong_history(opened: Opened, path: str, completed: Completed) -> Iterator[FixityFinding]:
    if not history.is_history(path) or path.endswith(history.PUT_ASIDE):
        return
    rows = opened.histories.get(path)
    if rows is not None:
        yield from _lost_rows(opened.stored, path, rows, completed)
        return
    try:
        opened.history(path)
    except Conflict:
        yield opened.stored.damaged(path, "the history as it was written", "a damaged or foreign history")


def _wrong_inventories(opened: Opened) -> Iterator[FixityFinding]:
    """Find the inventories of versions that are missing, or differ from their sidecar or from the root inventory."""
    stored, inventory, files = opened.stored, opened.inventory, opened.files
    for number in range(1, inventory.head + 1):
        path = f"v{number}/{INVENTORY}"
        of_version = files.found(path)
        if of_version is None:
            yield stored.missing(path)
        elif files.found(f"v{number}/{SIDECAR}") != ocfl.sidecar(of_version):
            yield stored.damaged(path, "the digest in its sidecar", "another digest")
        elif number == inventory.head and of_version != opened.text:
            yield stored.damaged(INVENTORY, f"the inventory of v{number}", "another inventory")
        elif number < inventory.head and of_version != inventory.as_of(number).to_json():
            yield stored.damaged(path, "the root inventory up to that version", "another inventory")


def _wrong_sidecar(opened: Opened, completed: Completed) -> Iterator[FixityFinding]:
    """Check the sidecar of the root inventory. It is written last, so before that no run can complete the version."""
    stored, inventory, files = opened.stored, opened.inventory, opened.files
    if files.found(SIDECAR) == ocfl.sidecar(opened.text):
        return
    is_complete = inventory.versions[-1].message in completed.receipts
    if is_complete or opened.text != files.found(f"v{inventory.head}/{INVENTORY}"):
        yield stored.damaged(SIDECAR, "the digest of the inventory", "another digest")
    else:
        yield stored.interrupted(SIDECAR, "the digest of the inventory", "another digest")


def _wrong_declaration(opened: Opened) -> Iterator[FixityFinding]:
    """Check the file that declares the object."""
    path = OBJECT_DECLARATION
    text = opened.files.found(path)
    if text is None:
        yield opened.stored.missing(path)
    elif text != ocfl.declaration(path):
        yield opened.stored.damaged(path, "the same as its name", "different content")


def _extras(stored: StoredObject, inventory: Inventory) -> Iterator[FixityFinding]:
    """Find the files that no inventory of an object names, and the next version if it was begun."""
    begun = interrupted.begun(stored.key, inventory.head + 1, stored.sizes)
    if begun:
        yield from _of_begun(stored, begun)
    folders = ["", *(f"v{number}/" for number in range(1, inventory.head + 1))]
    expected = {f"{folder}{name}" for folder in folders for name in (INVENTORY, SIDECAR)}
    expected |= {OBJECT_DECLARATION, *inventory.manifest.values()}
    for path in stored.sizes:
        is_next = path.startswith(f"v{inventory.head + 1}/")
        is_log = delivery_of(path) or history.is_history(path) or judgements.is_judgement(path)
        if path not in expected and not is_next and not is_log:
            yield stored.unnamed(path)


def is_begun_object(stored: StoredObject) -> bool:
    """Return whether an object without an inventory has only a first version that is being written."""
    begun = interrupted.begun(stored.key, 1, stored.sizes)
    if begun is None or begun.strange or not interrupted.may_be_half(stored.key, begun):
        return False
    receipt = receipts.find(begun.receipt_id)
    if receipt and receipt.state == State.COMPLETED:
        return False
    return {path for path in stored.sizes if not path.startswith("v1/")} <= {OBJECT_DECLARATION}


def _of_begun(stored: StoredObject, begun: Begun) -> Iterator[FixityFinding]:
    yield from (stored.unnamed(path) for path in begun.strange)
    if begun.lost and not interrupted.may_be_half(stored.key, begun):
        yield from (stored.missing(path) for path in begun.lost)
    elif begun.named:
        yield stored.interrupted(f"v{begun.number}/", "a whole version", "not yet in the root inventory")


_MOST_BYTES = 64 << 20
"""The most bytes of a skeleton or of cuts, which are read at once. No request of ours has as many."""


def _wrong_versions(opened: Opened) -> Iterator[FixityFinding]:
    """Find the versions that do not rebuild their request. Damaged contents explain it, and are named by themselves."""
    for number, version in enumerate(opened.inventory.versions, 1):
        request = version_in(opened.inventory, number, opened.files.chunks)
        if not _is_rebuilt(opened, request) and _are_whole(opened, version.state.values()):
            yield opened.stored.damaged(f"v{number}", f"receipt {version.message}", "files that do not rebuild it")


def _wrong_times(opened: Opened) -> Iterator[FixityFinding]:
    """Find the versions with another time than the arrival of their receipt, in the receipt's history.

    Both are written from the same row, which no longer changes once a run has begun, so they are equal to the digit.
    """
    for number, version in enumerate(opened.inventory.versions, 1):
        receipt = opened.complete_receipts.get(version.message)
        if receipt and datetime.fromisoformat(receipt["received_at"]) != version.created_at:
            yield opened.stored.damaged(f"v{number}/{INVENTORY}", "the time of its receipt", "another time")


def _wrong_contents(opened: Opened) -> Iterator[FixityFinding]:
    """Find the contents that are missing or have another digest. An unreadable content hides no other."""
    for sha256, path in opened.inventory.manifest.items():
        try:
            yield from _wrong_content(opened, path, sha256)
        except Unreadable as error:
            yield FixityFinding(error.key, Fault.UNREADABLE, _content_of(opened, sha256), error.reason)


def _wrong_deliveries(opened: Opened) -> Iterator[FixityFinding]:
    """Find the deliveries that do not rebuild their request."""
    for receipt_id in delivered(opened.stored.sizes):
        path = f"{LOGS}/{DELIVERIES}/{receipt_id}"
        try:
            request = request_in(opened.inventory, receipt_id, opened.files.chunks)
            is_rooted = request is None or request.is_version or request.kept_root == request.content_root()
        except Conflict:
            yield opened.stored.damaged(path, receipt_id, "files that do not rebuild it")
            continue
        if request is None:
            yield opened.stored.interrupted(path, "a whole delivery", "part of a delivery")
        elif not (_is_as_kept(opened, request) and _is_rebuilt(opened, request) and is_rooted):
            yield opened.stored.damaged(path, receipt_id, "files that do not rebuild it")


def _wrong_content(opened: Opened, path: str, sha256: str) -> Iterator[FixityFinding]:
    if path in opened.stored.strange:
        yield opened.stored.unreadable(path, _content_of(opened, sha256), opened.stored.strange[path])
        return
    found = opened.files.digest(path)
    if found is None:
        yield opened.stored.missing(path, _content_of(opened, sha256))
    elif found != sha256:
        size_bytes = opened.stored.sizes.get(path)
        yield opened.stored.damaged(path, _content_of(opened, sha256), f"{found}, {size_bytes} bytes")


def _content_of(opened: Opened, sha256: str) -> str:
    """Name a content by its role and element, as a version says, and its archive. Its file name is people's data."""
    its = f"with SHA-256 {sha256} of archive {opened.reference}"
    for number in range(opened.inventory.head, 0, -1):
        with suppress(Conflict, Unreadable):
            for each in version_in(opened.inventory, number, opened.files.chunks).readable_archive().contents:
                if each.stored and each.stored.sha256 == sha256:
                    element = f" {each.element_id}" if each.element_id else ""
                    return f"the {each.role.replace('_', ' ')}{element} {its}"
    return f"the file {its}"


def _is_rebuilt(opened: Opened, request: StoredRequest) -> bool:
    """Return whether a request is rebuilt, byte for byte. True without the archive's key, which `wrong_key` reports,
    and with a file that cannot be read, which its own check reports.
    """
    start, digest = len(opened.stored.key) + 1, hashlib.sha256()
    whole = [request.keys[name][start:] for name in (SKELETON, CUTS) if name in request.keys]
    if any(opened.stored.sizes.get(path, 0) > _MOST_BYTES for path in whole):
        return False
    try:
        for piece in request.body():
            checkpoint()
            digest.update(piece)
    except (Locked, Unreadable):
        return True
    except Conflict:
        return False
    return digest.hexdigest() == request.receipt_id


def _is_as_kept(opened: Opened, request: StoredRequest) -> bool:
    """Return whether the files of a delivery have the digests in its record."""
    start = len(opened.stored.key) + 1
    kept = ((request.keys[name][start:], sha256) for name, sha256 in request.digests.items())
    return all(opened.files.digest(path) == sha256 for path, sha256 in kept)


def _are_whole(opened: Opened, digests: Iterable[str]) -> bool:
    manifest = opened.inventory.manifest
    try:
        return all(opened.files.digest(manifest[sha256]) == sha256 for sha256 in digests)
    except Unreadable:
        return False


def _losses(stored: StoredObject, inventory: Inventory, completed: Completed) -> Iterator[FixityFinding]:
    """Find the complete receipts and histories that an object has lost."""
    reference = reference_of(inventory)
    told = {version.message for version in inventory.versions}
    for receipt_id, version in completed.receipts.items():
        if receipt_id not in told and delivery_path(receipt_id) not in stored.sizes:
            yield from _lost_request(stored, reference, receipt_id, version)
        if history.path_of(receipt_id) not in stored.sizes:
            yield from _lost_history(stored, receipt_id)


def _lost_rows(stored: StoredObject, path: str, rows: Rows, completed: Completed) -> Iterator[FixityFinding]:
    """Find a history that lacks deliveries or the completion of its receipt: an old copy has a valid digest too.

    While the body is in the inbox, a run is about to write the whole history again.
    """
    receipt_id = PurePosixPath(path).stem
    expected = completed.deliveries.get(receipt_id, 0)
    found = len(history.deliveries(rows)) if history.complete_receipt(rows) else 0
    if found < expected and not inbox.has_body(receipt_id):
        yield stored.damaged(path, f"{expected} deliveries of a complete receipt", str(found))


def _wrong_judgements(stored: StoredObject) -> Iterator[FixityFinding]:
    """Find judgements that are damaged, that belong elsewhere, or that lack an earlier judgement."""
    for receipt_id, numbers in judgements.numbers_of(stored.sizes).items():
        for number in range(1, max(numbers) + 1):
            path = judgements.path_of(receipt_id, number)
            if number not in numbers:
                yield stored.missing(path, "the judgement before a later judgement")
            elif not _is_whole(stored, path):
                yield stored.damaged(path, "the judgement as it was written", "a damaged or foreign judgement")


def _lost_request(
    stored: StoredObject, reference: str, receipt_id: str, version: int | None
) -> Iterator[FixityFinding]:
    try:
        is_lost = stored_request(reference, receipt_id) is None
    except Conflict:
        return  # it is damaged, which another check reports
    if is_lost:
        path = f"v{version}/" if version else delivery_path(receipt_id)
        yield stored.missing(path, f"receipt {receipt_id} as a version or a delivery")


def _lost_history(stored: StoredObject, receipt_id: str) -> Iterator[FixityFinding]:
    path = history.path_of(receipt_id)
    if inbox.has_body(receipt_id):
        yield stored.interrupted(path, "the history of a complete receipt", "nothing yet")
    elif store().size(f"{stored.key}/{path}") is None:
        yield stored.missing(path, "the history of a complete receipt")


def _is_whole(stored: StoredObject, path: str) -> bool:
    try:
        judgements.read(stored.key, path)
    except Conflict:
        return False
    return True

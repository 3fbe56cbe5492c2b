"""Verifies the inventories of an object, their sidecars, its declaration, and that an inventory names each file."""

from collections.abc import Iterator

from adapters.store import ocfl
from adapters.store.objects import history, interrupted, judgements
from adapters.store.objects.deliveries import delivery_of
from adapters.store.objects.interrupted import Begun
from adapters.store.ocfl import INVENTORY, OBJECT_DECLARATION, SIDECAR
from adapters.tables.runs import receipts
from adapters.tables.runs.receipts import Completed
from models.archive.archive import State
from models.store.fixity import FixityFinding, StoredObject
from models.store.inventory import Inventory
from services.custody.objects.opened import Opened


def wrong_inventories(opened: Opened) -> Iterator[FixityFinding]:
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


def wrong_sidecar(opened: Opened, completed: Completed) -> Iterator[FixityFinding]:
    """Check the sidecar of the root inventory. It is written last, so before that no run can complete the version."""
    stored, inventory, files = opened.stored, opened.inventory, opened.files
    if files.found(SIDECAR) == ocfl.sidecar(opened.text):
        return
    is_complete = inventory.versions[-1].message in completed.receipts
    if is_complete or opened.text != files.found(f"v{inventory.head}/{INVENTORY}"):
        yield stored.damaged(SIDECAR, "the digest of the inventory", "another digest")
    else:
        yield stored.interrupted(SIDECAR, "the digest of the inventory", "another digest")


def wrong_declaration(opened: Opened) -> Iterator[FixityFinding]:
    """Check the file that declares the object."""
    path = OBJECT_DECLARATION
    text = opened.files.found(path)
    if text is None:
        yield opened.stored.missing(path)
    elif text != ocfl.declaration(path):
        yield opened.stored.damaged(path, "the same as its name", "different content")


def extras(stored: StoredObject, inventory: Inventory) -> Iterator[FixityFinding]:
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

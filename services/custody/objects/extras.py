"""Finds the files of an object that are in none of its versions: begun by a writer, or unknown."""

from collections.abc import Iterator

from adapters.store.objects import history, interrupted, judgements
from adapters.store.objects.deliveries import delivery_of
from adapters.store.objects.interrupted import Begun
from adapters.store.ocfl import INVENTORY, OBJECT_DECLARATION, SIDECAR
from adapters.tables.runs import receipts
from models.archive.archive import State
from models.store.fixity import FixityFinding, StoredObject
from models.store.inventory import Inventory


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

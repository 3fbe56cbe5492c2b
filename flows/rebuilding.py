"""Rebuilds the metadata database from the store alone."""

from collections.abc import Callable, Iterable
from datetime import datetime

from adapters import archives, history, ocfl, receipts
from adapters.stored import DELIVERIES
from domain.rows import discrepancy_rows
from flows.loading import load
from flows.material import Material, read_material
from flows.verifying import StoredObject
from models.archive import State
from models.errors import Refused
from models.receipt import ReceiptRow

_HISTORY = f"{ocfl.LOGS}/{history.FOLDER}/"


def check_empty() -> None:
    """See that the database has no archives yet.

    Raises:
        Refused: it has.
        Transient: it does not answer.
    """
    if next(archives.references(), None) is not None:
        raise Refused("NOT_EMPTY", "the database has archives; expected an empty one, as `cellar migrate` makes")


def rebuild(objects: Iterable[StoredObject], on_rebuilt: Callable[[StoredObject], None]) -> int:
    """Put every object of the store into an empty database, and return how many there are.

    Raises:
        Conflict: an object is damaged; verify the store.
        Transient: store or database does not answer. Begin anew with an empty database.
    """
    count = 0
    for each in objects:
        if each.key:
            rebuild_object(each)
            count += 1
        on_rebuilt(each)
    return count


def rebuild_object(stored: StoredObject) -> None:
    """Put an object into the database: its history, then its versions in their order, each with its deliveries."""
    inventory = ocfl.inventory_at(stored.key)
    if inventory is None:
        return  # its first writer was killed, and its receipt waits in the inbox
    reference = ocfl.reference_of(inventory)
    history.restore(f"{stored.key}/{path}" for path in stored.sizes if path.startswith(_HISTORY))
    versions = [read_material(reference, version.message) for version in inventory.versions]
    deliveries = [read_material(reference, receipt_id) for receipt_id in _delivered(stored)]
    created = [version.created_at for version in inventory.versions]
    receipts.restore(reference, [_receipt(*each) for each in zip(versions, created, strict=True)])
    for material in versions:
        load(material)
        for delivery in deliveries:
            if delivery.request.version == material.request.version:
                load(delivery)
    for material in versions:
        found = discrepancy_rows(reference, material.discrepancies)
        archives.replace_rows(reference, material.receipt_id, found)


def _delivered(stored: StoredObject) -> list[str]:
    prefix = f"{ocfl.LOGS}/{DELIVERIES}/"
    return sorted({path.removeprefix(prefix).partition("/")[0] for path in stored.sizes if path.startswith(prefix)})


def _receipt(material: Material, created_at: datetime) -> ReceiptRow:
    """For a version whose history is not there: its writer was killed before that was kept."""
    return ReceiptRow(
        receipt_id=material.receipt_id,
        reference=material.archive.reference,
        state=State.COMPLETED,
        received_at=created_at,
        completed_at=created_at,
        size_bytes=sum(len(chunk) for chunk in material.request.body()),
    )

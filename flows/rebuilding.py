"""Rebuilds the metadata database from the store alone."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from adapters import archives, history, kept_discrepancies, ocfl, receipts
from adapters.discrepancies import settle_version
from adapters.duplicates import settle_all_duplicates
from adapters.holds import settle_all_holds
from adapters.stored import delivered, stored_request
from domain.json_text import JsonFault
from flows.loading import load
from flows.material import Material, read_material
from flows.verifying import StoredObject
from models.archive import State
from models.discrepancy import PAYLOAD_CODES
from models.errors import CellarError, Conflict, Refused, Transient
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


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How many archives are in the database again, and the keys of those that are not, with the reason."""

    archives: int
    damaged: tuple[tuple[str, str], ...]


def rebuild(objects: Iterable[StoredObject], on_rebuilt: Callable[[StoredObject], None]) -> Rebuilt:
    """Put every object of the store into an empty database. What is damaged is told, and holds up no other.

    Raises:
        Transient: store or database does not answer. Begin anew with an empty database.
    """
    count, damaged = 0, list(_restore_of_no_archive())
    for each in objects:
        if each.key:
            try:
                count += rebuild_object(each)
            except (CellarError, JsonFault) as error:
                if isinstance(error, Transient):
                    raise
                damaged.append((each.key, str(error)))
        on_rebuilt(each)
    now = datetime.now(UTC)  # by now everyone's peers are there
    settle_all_duplicates(now)
    settle_all_holds(now)
    return Rebuilt(count, tuple(damaged))


def _restore_of_no_archive() -> Iterator[tuple[str, str]]:
    """Bring back the discrepancies that belong to no archive; yield their key and the reason where they are damaged."""
    try:
        history.restore(kept_discrepancies.of_no_archive())
    except Conflict as error:
        yield kept_discrepancies.OF_NO_ARCHIVE, str(error)


def rebuild_object(stored: StoredObject) -> bool:
    """Put an object into the database, if it is one: its history, then its versions, each with its deliveries.

    Raises:
        Conflict: it is damaged.
        Transient: store or database does not answer.
    """
    found = ocfl.inventory_at(stored.key) or ocfl.inventory_at(f"{stored.key}/v1")
    inventory = ocfl.settled(ocfl.reference_of(found)) if found else None
    if inventory is None:
        return False  # its first writer was killed, and its receipt waits in the inbox
    reference = ocfl.reference_of(inventory)
    kept = [path for path in stored.sizes if path.startswith(_HISTORY) and path.endswith(".json")]
    history.restore(f"{stored.key}/{path}" for path in kept)
    versions = [read_material(reference, version.message) for version in inventory.versions]
    requests = (stored_request(reference, receipt_id) for receipt_id in delivered(stored.sizes))
    deliveries = [read_material(reference, request.receipt_id) for request in requests if request]
    created_at = {version.message: version.created_at for version in inventory.versions}
    unknown = [each for each in (*versions, *deliveries) if receipts.find(each.receipt_id) is None]
    receipts.restore(reference, [_receipt(each, created_at) for each in unknown])
    for material in versions:
        load(material)
        for delivery in deliveries:
            if delivery.request.version == material.request.version:
                load(delivery)
    now = datetime.now(UTC)
    for material in versions:
        settle_version(reference, material.receipt_id, PAYLOAD_CODES, material.discrepancies, now)
    return True


def _receipt(material: Material, created_at: Mapping[str, datetime]) -> ReceiptRow:
    """For a receipt without history: that is kept before it leaves the inbox, so it waits there, to be completed."""
    version = material.request.version
    return ReceiptRow(
        receipt_id=material.receipt_id,
        reference=material.archive.reference,
        state=State.RECEIVED,
        received_at=created_at.get(material.receipt_id) or list(created_at.values())[version - 1],
        size_bytes=sum(len(chunk) for chunk in material.request.body()),
    )

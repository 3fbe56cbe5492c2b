"""Rebuilds the metadata database from the store alone."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from adapters.database import archives, receipts
from adapters.inbox import inbox
from adapters.store import history, interrupted, kept_discrepancies, ocfl
from adapters.store.requests import delivered, delivery_path, stored_request
from adapters.store.settlement_reports import report_key
from models.archive.archive import State
from models.errors import Conflict, Refused
from models.runs.receipt import ReceiptRow
from models.store.fixity import StoredObject
from models.store.inventory import Inventory
from services.payments.duplicates import reconcile_all_duplicates
from services.payments.holds import reconcile_all_holds
from services.processing.findings import reconcile_payload
from services.processing.loading import load
from services.receipts.stored_archive import StoredArchive, stored_archive
from services.settlements.importing import restore_reports

OnDamaged = Callable[[tuple[str, str]], None]


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
    """How many archives and reports are in the database again, and the keys of what is not, with the reason."""

    archives: int
    reports: int
    damaged: tuple[tuple[str, str], ...]


def rebuild(objects: Iterable[StoredObject], on_rebuilt: Callable[[StoredObject], None]) -> Rebuilt:
    """Put every object of the store into an empty database. What is damaged is told, and holds up no other.

    Raises:
        Transient: store or database does not answer. Begin anew with an empty database.
    """
    count, damaged = 0, list[tuple[str, str]]()
    _restore_histories(kept_discrepancies.of_no_archive(), damaged.append)
    for each in objects:
        if each.key:
            try:
                count += rebuild_object(each, damaged.append)
            except Conflict as conflict:
                damaged.append((each.key, str(conflict)))
        on_rebuilt(each)
    now = datetime.now(UTC)  # by now everyone's peers are there
    reports = restore_reports(now, lambda report_id, reason: damaged.append((report_key(report_id), reason)))
    reconcile_all_duplicates(now)
    reconcile_all_holds(now)
    return Rebuilt(count, reports, tuple(damaged))


def rebuild_object(stored: StoredObject, on_damaged: OnDamaged) -> bool:
    """Put an object into the database, if it is one: its history, then its versions, each with its deliveries. Return
    whether it has a version there.

    Where its key cannot be had, that is what is not sealed, and its discrepancies stay as they are kept. A version, a
    delivery or a history that is damaged is told, and is all that is lost.

    Raises:
        Conflict: its inventory is damaged.
        Transient: store or database does not answer.
    """
    found = ocfl.inventory_at(stored.key) or ocfl.inventory_at(f"{stored.key}/v1")
    inventory = interrupted.repaired(ocfl.reference_of(found)) if found else None
    if inventory is None:
        return False  # its first writer was killed, and its receipt waits in the inbox
    reference = ocfl.reference_of(inventory)
    kept = [path for path in stored.sizes if history.is_one(path) and not path.endswith(history.PUT_ASIDE)]
    _restore_histories((f"{stored.key}/{path}" for path in kept), on_damaged)
    receipts.restore(reference, ())
    versions = list(_readable(reference, _places_of_versions(stored, inventory), inventory, on_damaged))
    deliveries = list(_readable(reference, _places_of_deliveries(stored), inventory, on_damaged))
    for version in versions:
        load(version)
        for delivery in deliveries:
            if delivery.request.version == version.request.version:
                load(delivery)
    current_id = receipts.current_receipt_id(reference)
    for version in versions:
        if version.receipt_id == current_id and not version.archive.is_locked:
            reconcile_payload(version, datetime.now(UTC))
    return bool(versions)


def _places_of_versions(stored: StoredObject, inventory: Inventory) -> dict[str, str]:
    return {version.message: f"{stored.key}/v{number}" for number, version in enumerate(inventory.versions, 1)}


def _places_of_deliveries(stored: StoredObject) -> dict[str, str]:
    return {each: f"{stored.key}/{delivery_path(each).rpartition('/')[0]}" for each in delivered(stored.sizes)}


def _readable(
    reference: str, places: Mapping[str, str], inventory: Inventory, on_damaged: OnDamaged
) -> Iterator[StoredArchive]:
    """Put the receipts that can be read on record, by where they lie; the others are told. Half a delivery waits in the
    inbox.
    """
    for receipt_id, key in places.items():
        try:
            if stored_request(reference, receipt_id):
                archived = stored_archive(reference, receipt_id, even_locked=True)
                if receipts.find(receipt_id) is None:
                    receipts.restore(reference, [_receipt(archived, inventory)])
                yield archived
        except Conflict as conflict:
            on_damaged((key, str(conflict)))


def _restore_histories(keys: Iterable[str], on_damaged: OnDamaged) -> None:
    for key in keys:
        try:
            history.restore(key)
        except Conflict as conflict:
            on_damaged((key, str(conflict)))


def _receipt(archived: StoredArchive, inventory: Inventory) -> ReceiptRow:
    """For a receipt without history, which is kept before it leaves the inbox. So it waits there, to be completed; or
    its history was lost.
    """
    received_at = inventory.versions[archived.request.version - 1].created_at
    waits = inbox.has_body(archived.receipt_id)
    return ReceiptRow(
        receipt_id=archived.receipt_id,
        reference=archived.archive.reference,
        state=State.RECEIVED if waits else State.COMPLETED,
        received_at=received_at,
        completed_at=None if waits else received_at,
        size_bytes=archived.request.size_bytes(),
    )

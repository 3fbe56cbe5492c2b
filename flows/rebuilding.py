"""Rebuilds the metadata database from the store alone."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from adapters import archives, history, inbox, interrupted, kept_discrepancies, ocfl, receipts
from adapters.duplicates import settle_all_duplicates
from adapters.holds import settle_all_holds
from adapters.settlement_reports import report_key
from adapters.settlements import restore_reports
from adapters.stored import delivered, stored_request
from domain.json_text import JsonFault
from flows.findings import settle_payload
from flows.loading import load
from flows.material import Material, read_material
from models.archive import State
from models.errors import CellarError, Conflict, Refused, Transient
from models.fixity import StoredObject
from models.receipt import ReceiptRow

OnDamaged = Callable[[tuple[str, str]], None]

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
            except (CellarError, JsonFault) as error:
                if isinstance(error, Transient):
                    raise
                damaged.append((each.key, str(error)))
        on_rebuilt(each)
    now = datetime.now(UTC)  # by now everyone's peers are there
    reports = restore_reports(now, lambda report_id, reason: damaged.append((report_key(report_id), reason)))
    settle_all_duplicates(now)
    settle_all_holds(now)
    return Rebuilt(count, reports, tuple(damaged))


def rebuild_object(stored: StoredObject, on_damaged: OnDamaged) -> bool:
    """Put an object into the database, if it is one: its history, then its versions, each with its deliveries.

    Where its key cannot be had, that is what is not sealed, and its discrepancies stay as they are kept. All of it is
    read before anything is written. A history that is damaged is told, and is all that is lost.

    Raises:
        Conflict: it is damaged.
        Transient: store or database does not answer.
    """
    found = ocfl.inventory_at(stored.key) or ocfl.inventory_at(f"{stored.key}/v1")
    inventory = interrupted.settled(ocfl.reference_of(found)) if found else None
    if inventory is None:
        return False  # its first writer was killed, and its receipt waits in the inbox
    reference = ocfl.reference_of(inventory)
    versions = [read_material(reference, version.message, even_locked=True) for version in inventory.versions]
    requests = (stored_request(reference, receipt_id) for receipt_id in delivered(stored.sizes))
    deliveries = [read_material(reference, request.receipt_id, even_locked=True) for request in requests if request]
    kept = [path for path in stored.sizes if path.startswith(_HISTORY) and path.endswith(".json")]
    _restore_histories((f"{stored.key}/{path}" for path in kept), on_damaged)
    created_at = {version.message: version.created_at for version in inventory.versions}
    unknown = [each for each in (*versions, *deliveries) if receipts.find(each.receipt_id) is None]
    receipts.restore(reference, [_receipt(each, created_at) for each in unknown])
    for material in versions:
        load(material)
        for delivery in deliveries:
            if delivery.request.version == material.request.version:
                load(delivery)
    current_id = receipts.current_receipt_id(reference)
    for material in versions:
        if material.receipt_id == current_id and not material.archive.is_locked:
            settle_payload(material, datetime.now(UTC))
    return True


def _restore_histories(keys: Iterable[str], on_damaged: OnDamaged) -> None:
    for key in keys:
        try:
            history.restore(key)
        except Conflict as conflict:
            on_damaged((key, str(conflict)))


def _receipt(material: Material, created_at: Mapping[str, datetime]) -> ReceiptRow:
    """For a receipt without history, which is kept before it leaves the inbox. So it waits there, to be completed; or
    its history was lost.
    """
    version = material.request.version
    received_at = created_at.get(material.receipt_id) or list(created_at.values())[version - 1]
    waits = inbox.has_body(material.receipt_id)
    return ReceiptRow(
        receipt_id=material.receipt_id,
        reference=material.archive.reference,
        state=State.RECEIVED if waits else State.COMPLETED,
        received_at=received_at,
        completed_at=None if waits else received_at,
        size_bytes=material.request.size_bytes(),
    )

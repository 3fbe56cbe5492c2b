"""Rebuilds the metadata database: archives, events, endpoints and names of templates from the store, refused deliveries
from quarantine.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from adapters.inbox import inbox
from adapters.store import happened, ocfl
from adapters.store.lines import Erased
from adapters.store.objects import history, interrupted
from adapters.store.objects.deliveries import delivered, delivery_path
from adapters.store.objects.requests import stored_request
from adapters.store.settlement_reports import report_key
from adapters.store.tombstones import known_digest
from adapters.tables.archives import archives
from adapters.tables.runs import receipts
from models.archive.archive import State
from models.errors import Conflict, Refused
from models.runs.receipt import ReceiptRow
from models.store.fixity import StoredObject
from models.store.inventory import Inventory
from services import derived
from services.completeness.session_events import restore_events
from services.custody.happened import restore_happened
from services.custody.objects import is_erased
from services.messages.endpoints import restore_endpoints
from services.payments.duplicates import reconcile_all_duplicates
from services.payments.holds import reconcile_all_holds
from services.processing.completion import load, reconcile_payload
from services.receipts import StoredArchive, stored_archive
from services.settlements.importing import restore_reports
from services.templates import restore_templates
from services.triggering.refused import restore_refused

OnDamaged = Callable[[tuple[str, str]], None]


def check_empty() -> None:
    """Check that the database has no archives yet.

    Raises:
        Refused: the database has archives.
    """
    if next(archives.references(), None) is not None:
        raise Refused("NOT_EMPTY", "the database has archives; expected an empty database from `cellar migrate`")


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The numbers of what was restored; the keys of damaged files, with the reasons."""

    archives: int
    reports: int
    events: int
    refused: int
    endpoints: int
    templates: int
    damaged: tuple[tuple[str, str], ...]


def rebuild(
    objects: Iterable[StoredObject], on_rebuilt: Callable[[StoredObject], None], *, even_erased: bool = False
) -> Rebuilt:
    """Restore every object of the store into an empty database. A damaged object is reported, and blocks no other. So
    is an object whose archive was erased; it is left out.

    Args:
        even_erased: restore what was erased, and is back, too: for who removes it again by its rows.

    Raises:
        Transient: store or database does not answer. Start again with an empty database.
    """
    count, damaged, erased = 0, list[tuple[str, str]](), happened.erased()
    derived.mark_rebuild(is_over=False)
    if even_erased:
        erased = Erased({}, dict.fromkeys(erased.lines, False))
    templates = restore_templates(lambda key, reason: damaged.append((key, reason)))  # entries are made by them
    restore_happened(damaged.append, erased)  # first: what is explained is no new discrepancy
    for each in objects:
        if each.key and is_erased(each.key, erased):
            damaged.append((each.key, "its archive was erased, and it is back; erase it again"))
        elif each.key:
            try:
                count += rebuild_object(each, damaged.append)
            except Conflict as conflict:
                damaged.append((each.key, str(conflict)))
        on_rebuilt(each)
    now = datetime.now(UTC)  # now that all archives are loaded, they can be compared
    reports = restore_reports(now, lambda report_id, reason: damaged.append((report_key(report_id), reason)))
    reconcile_all_duplicates(now)
    reconcile_all_holds(now)
    events = restore_events(damaged.append, erased)
    endpoints = restore_endpoints(lambda key, reason: damaged.append((key, reason)))
    refused = restore_refused()  # after what happened: the quarantine knows better who decided
    happened.keep_all()
    derived.mark_rebuild(is_over=True)
    return Rebuilt(count, reports, events, refused, endpoints, templates, tuple(damaged))


def rebuild_object(stored: StoredObject, on_damaged: OnDamaged) -> bool:
    """Restore an object into the database: its history, then its versions, each with its deliveries. Return whether a
    version was restored.

    If the archive's key is not available, sealed values read as null, and discrepancies stay as they are. A
    damaged version, delivery or history is reported; everything else is restored.

    Raises:
        Conflict: the object's inventory is damaged.
    """
    found = ocfl.inventory_at(stored.key) or ocfl.inventory_at(f"{stored.key}/v1")
    inventory = interrupted.repaired(ocfl.reference_of(found)) if found else None
    if inventory is None:
        return False  # its first writer was killed, and its receipt waits in the inbox
    reference = ocfl.reference_of(inventory)
    kept = [path for path in stored.sizes if history.is_history(path) and not path.endswith(history.PUT_ASIDE)]
    _restore_histories((f"{stored.key}/{path}" for path in kept), on_damaged)
    receipts.restore(reference, (), known_digest(reference))
    of_versions = {each.message: f"{stored.key}/v{number}" for number, each in enumerate(inventory.versions, 1)}
    versions = list(_readable(reference, of_versions, inventory, on_damaged))
    of_deliveries = {each: f"{stored.key}/{delivery_path(each).rpartition('/')[0]}" for each in delivered(stored.sizes)}
    deliveries = list(_readable(reference, of_deliveries, inventory, on_damaged))
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


def _readable(
    reference: str, places: Mapping[str, str], inventory: Inventory, on_damaged: OnDamaged
) -> Iterator[StoredArchive]:
    """Record and yield the readable receipts of `places`; report the damaged ones. An incomplete delivery is skipped,
    since its receipt waits in the inbox.
    """
    for receipt_id, key in places.items():
        try:
            if stored_request(reference, receipt_id):
                archived = stored_archive(reference, receipt_id, even_locked=True)
                if receipts.find(receipt_id) is None:
                    receipts.restore(reference, [_receipt(archived, inventory)], known_digest(reference))
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
    """Make the row of a receipt without a history. The history is written before the receipt leaves the inbox, so the
    receipt is still in the inbox, or its history was lost.
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
        source=archived.request.source,
    )

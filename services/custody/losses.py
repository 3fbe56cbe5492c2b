"""What the database knows to be complete, and an object does not have: versions, deliveries, histories.

A run writes into the object first, then completes its receipt, then keeps its history, and then lets go of the body in
the inbox. Whatever seems to be missing is looked for once more in that order, so a run that is at it misses nothing.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath

from adapters.database.receipts import Completed
from adapters.files.store import store
from adapters.inbox import inbox
from adapters.store import history, kept_discrepancies
from adapters.store.history import Rows
from adapters.store.ocfl import reference_of
from adapters.store.requests import delivery_path, stored_request
from models.errors import Conflict
from models.store.fixity import FixityFinding, StoredObject
from models.store.inventory import Inventory


def losses(stored: StoredObject, inventory: Inventory, completed: Completed) -> Iterator[FixityFinding]:
    """Find what an object has lost of what was complete."""
    reference = reference_of(inventory)
    told = {version.message for version in inventory.versions}
    for receipt_id, version in completed.receipts.items():
        if receipt_id not in told and delivery_path(receipt_id) not in stored.sizes:
            yield from _lost_request(stored, reference, receipt_id, version)
        if history.path_of(receipt_id) not in stored.sizes:
            yield from _lost_history(stored, receipt_id)
    if completed.kept_changes:
        yield from _lost_discrepancies(stored, kept_discrepancies.key_of(reference, completed.kept_changes))


def lost_rows(stored: StoredObject, path: str, rows: Rows, completed: Completed) -> Iterator[FixityFinding]:
    """Find whether a history has lost a delivery, or that its receipt is complete: an old copy of it is whole too.

    While the body is in the inbox, a run is going to keep all of it again.
    """
    receipt_id = PurePosixPath(path).stem
    expected, found = completed.deliveries.get(receipt_id, 0), history.deliveries_of_complete(rows)
    if found < expected and not inbox.has_body(receipt_id):
        yield stored.damaged(path, f"{expected} deliveries of a complete receipt", str(found))


def _lost_request(
    stored: StoredObject, reference: str, receipt_id: str, version: int | None
) -> Iterator[FixityFinding]:
    try:
        is_lost = stored_request(reference, receipt_id) is None
    except Conflict:
        return  # there is something, and the finding is its own
    if is_lost:
        path = f"v{version}/" if version else delivery_path(receipt_id)
        yield stored.missing(path, f"what receipt {receipt_id} was archived as")


def _lost_history(stored: StoredObject, receipt_id: str) -> Iterator[FixityFinding]:
    path = history.path_of(receipt_id)
    if inbox.has_body(receipt_id):
        yield stored.interrupted(path, "the history of a complete receipt", "nothing yet")
    elif store().size(f"{stored.key}/{path}") is None:
        yield stored.missing(path, "the history of a complete receipt")


def _lost_discrepancies(stored: StoredObject, last: str) -> Iterator[FixityFinding]:
    if kept_discrepancies.is_kept(last, (f"{stored.key}/{path}" for path in stored.sizes)):
        return
    if not kept_discrepancies.is_kept(last, (key for key, _ in store().listed(stored.key))):
        yield stored.missing(last.removeprefix(f"{stored.key}/"), "the history of discrepancies")

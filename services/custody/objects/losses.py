"""Finds complete versions, deliveries and histories that have disappeared from an object, and wrong judgements.

A run writes into the object, completes its receipt, writes its history, and then removes the body from the inbox.
Missing files are looked up again in that order, so a run that is at work causes no finding.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath

from adapters.files.store import store
from adapters.inbox import inbox
from adapters.store.objects import history, judgements, kept_discrepancies
from adapters.store.objects.deliveries import delivery_path
from adapters.store.objects.history import Rows
from adapters.store.objects.requests import stored_request
from adapters.store.ocfl import reference_of
from adapters.tables.runs.receipts import Completed
from models.errors import Conflict
from models.store.fixity import FixityFinding, StoredObject
from models.store.inventory import Inventory


def losses(stored: StoredObject, inventory: Inventory, completed: Completed) -> Iterator[FixityFinding]:
    """Find the complete receipts, histories and discrepancies that an object has lost."""
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
    """Find a history that lacks deliveries or the completion of its receipt: an old copy has a valid digest too.

    While the body is in the inbox, a run is about to write the whole history again.
    """
    receipt_id = PurePosixPath(path).stem
    expected, found = completed.deliveries.get(receipt_id, 0), history.deliveries_of_complete(rows)
    if found < expected and not inbox.has_body(receipt_id):
        yield stored.damaged(path, f"{expected} deliveries of a complete receipt", str(found))


def wrong_judgements(stored: StoredObject) -> Iterator[FixityFinding]:
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


def _lost_discrepancies(stored: StoredObject, last: str) -> Iterator[FixityFinding]:
    if kept_discrepancies.is_kept(last, (f"{stored.key}/{path}" for path in stored.sizes)):
        return
    if not kept_discrepancies.is_kept(last, (key for key, _ in store().listed(stored.key))):
        yield stored.missing(last.removeprefix(f"{stored.key}/"), "the history of discrepancies")


def _is_whole(stored: StoredObject, path: str) -> bool:
    try:
        judgements.read(stored.key, path)
    except Conflict:
        return False
    return True

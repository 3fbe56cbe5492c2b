"""The one check of all faults: what was acknowledged is there, once.

Looks at the database, the store and the inbox themselves, not at what the API says about them.
"""

import hashlib
import json
from base64 import b64decode
from collections import Counter
from typing import Any

from sqlmodel import col, select

from adapters.database import transactions
from adapters.inbox import inbox
from models.archive.archive import ArchiveRow
from models.archive.content import FileRow
from models.payments import PaymentRow
from models.runs.receipt import DeliveryRow, ReceiptRow, VersionRow
from tests.faults.load import Sent
from tests.installations import inventory_of, stored_body, stored_file
from tests.ocfl_validator import validation_errors

_AT_ONCE = 500


def assert_kept_once(sent: Sent) -> None:
    """Check each acknowledged receipt of the installation whose settings this process has.

    A body that was sent and not acknowledged may be there too, once as well: its answer may have been lost.
    """
    assert sent.acknowledged, "nothing was acknowledged, so nothing is shown"
    acknowledged = set(sent.acknowledged)
    by_reference: dict[str, set[str]] = {}
    for receipt_id, reference in sent.references.items():
        by_reference.setdefault(reference, set()).add(receipt_id)
    references = sorted({sent.references[each] for each in acknowledged})
    assert _archives_not_completed(references) == {}
    assert _receipts_not_completed(acknowledged) == {}
    assert inbox_of(acknowledged) == set()
    for reference in references:
        _check_versions(reference, acknowledged & by_reference[reference], by_reference[reference])
        _check_rows(reference, sent)
        for receipt_id in acknowledged & by_reference[reference]:
            assert stored_body(reference, receipt_id) == sent.bodies[receipt_id], reference
    assert _ids_of_payments_used_twice(references) == []
    assert (found := validation_errors()) == [], found


def not_yet_completed(sent: Sent) -> int:
    """Return how many acknowledged receipts are not completed yet, or still have something in the inbox."""
    acknowledged = set(sent.acknowledged)
    return len(set(_receipts_not_completed(acknowledged)) | inbox_of(acknowledged))


def inbox_of(receipt_ids: set[str]) -> set[str]:
    """Return receipts that wait in the inbox: as a body; if none does, as one of maybe thousands of deliveries."""
    if bodies := {each for each in receipt_ids if inbox.has_body(each)}:
        return bodies
    return {each.receipt_id for each in inbox.deliveries()} & receipt_ids


def _archives_not_completed(references: list[str]) -> dict[str, str]:
    found = {each.reference: each.state for each in _rows(ArchiveRow, "reference", references)}
    return {each: found.get(each, "missing") for each in references if found.get(each) != "completed"}


def _receipts_not_completed(receipt_ids: set[str]) -> dict[str, str]:
    found = {each.receipt_id: each.state for each in _rows(ReceiptRow, "receipt_id", sorted(receipt_ids))}
    return {each: found.get(each, "missing") for each in receipt_ids if found.get(each) != "completed"}


def _check_versions(reference: str, acknowledged: set[str], known: set[str]) -> None:
    """Check that each receipt of a process is a version once, in database and store, and was new once."""
    versions = [each.receipt_id for each in _rows(VersionRow, "reference", [reference])]
    assert len(versions) == len(set(versions)), f"{reference}: {versions}"
    assert acknowledged <= set(versions) <= known, reference
    found = inventory_of(reference)
    assert len(found.versions) == len(versions), f"{reference}: {len(found.versions)} versions in the store"
    outcomes = Counter(
        each.receipt_id for each in _rows(DeliveryRow, "reference", [reference]) if each.outcome != "duplicate"
    )
    assert outcomes == Counter(versions), f"{reference}: {outcomes}"


def _check_rows(reference: str, sent: Sent) -> None:
    """Check files and payments of a process against its bodies. All versions in these tests have the same ones."""
    receipt_id = next(each for each in sent.acknowledged if sent.references[each] == reference)
    document = json.loads(sent.bodies[receipt_id])
    files = _rows(FileRow, "reference", [reference])
    assert sorted(each.sha256 for each in files) == sorted(_digests(document)), reference
    for each in files:
        assert hashlib.sha256(stored_file(reference, each.sha256)).hexdigest() == each.sha256
    payments = [each.transaction_id for each in _rows(PaymentRow, "reference", [reference])]
    assert payments == [each["transaction_id"] for each in document["payments"]], reference


def _digests(document: dict[str, Any]) -> list[str]:
    contents = [document["signed_document"]["content"], *(each["content"] for each in document["attachments"])]
    return [hashlib.sha256(b64decode(each)).hexdigest() for each in contents]


def _ids_of_payments_used_twice(references: list[str]) -> list[str]:
    used = Counter(each.payment_id for each in _rows(PaymentRow, "reference", references))
    return [payment_id for payment_id, times in used.items() if times > 1]


def _rows(row: Any, column: str, values: list[str]) -> list[Any]:
    found: list[Any] = []
    with transactions.reading() as session:
        for start in range(0, len(values), _AT_ONCE):
            some = values[start : start + _AT_ONCE]
            found += session.exec(select(row).where(col(getattr(row, column)).in_(some))).all()
        session.expunge_all()
    return found

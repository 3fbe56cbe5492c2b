"""Finds the receipt that a caller means."""

from datetime import UTC, datetime

from adapters.database.transactions import reading
from adapters.tables.completeness import missing_processes
from adapters.tables.runs import receipts, refused
from domain.completeness.words import missing_text
from models.errors import Refused


def latest_receipt_id(reference: str) -> str:
    """Return the receipt of a process that arrived last.

    Raises:
        Refused: no archive of the process was received.
        Transient: the database does not answer.
    """
    return _known(reference, receipts.newest_receipt_id(reference))


def current_receipt_id(reference: str) -> str:
    """Return the receipt of a process's current version; the latest receipt before there is a version.

    Raises:
        Refused: no archive of the process was received.
        Transient: the database does not answer.
    """
    return _known(reference, receipts.current_receipt_id(reference))


def receipt_of(reference: str, receipt_id: str | None) -> str:
    """Return `receipt_id`, checked to be a receipt of the process; without one, the current receipt.

    Raises:
        Refused: the receipt is unknown or belongs to another process, or no archive of the process was received.
        Transient: the database does not answer.
    """
    if receipt_id is None:
        return current_receipt_id(reference)
    receipt = receipts.find(receipt_id)
    if receipt is None or receipt.reference != reference:
        raise Refused("UNKNOWN_RECEIPT", "expected a receipt of this process; leave it out for the current one")
    return receipt_id


def unknown_reference(reference: str) -> Refused:
    """Return the error for a process without an archive. It says if the process is missing, and
    names the last delivery of the process that was refused.

    Raises:
        Transient: the database does not answer.
    """
    detail = "no archive of this process was received; `cellar list` shows the archives"
    delivery = refused.newest_of(reference)
    if delivery:
        place = f" at {delivery.where}" if delivery.where else ""
        after = "it is in quarantine"
        if delivery.released_at:
            after = "it is released and waits for its run"
        elif delivery.dismissed_at:
            after = "it is in quarantine, and a person has dismissed it"
        detail = (
            f"a delivery of this process was refused: {delivery.code}{place}: {delivery.detail}; {after}; "
            f"see `cellar quarantine show {delivery.receipt_id[:10]}`"
        )
    with reading() as session:
        found = missing_processes.open_of(session, reference)
    if found:
        missing = missing_text(found[0].why, found[0].since, found[0].deadline_at, datetime.now(UTC))
        detail = f"the process is missing: {missing}; see `cellar missing list`; {detail}"
    return Refused("UNKNOWN_REFERENCE", detail, where="reference", status=404)


def _known(reference: str, receipt_id: str | None) -> str:
    if receipt_id is None:
        raise unknown_reference(reference)
    return receipt_id

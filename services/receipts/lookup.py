"""Finds the receipt that a caller means."""

from adapters.database import receipts
from models.errors import Refused


def latest_receipt_id(reference: str) -> str:
    """Return the receipt of a process that arrived last.

    Raises:
        Refused: no archive of the process was received.
        Transient: the database does not answer.
    """
    return _known(receipts.newest_receipt_id(reference))


def current_receipt_id(reference: str) -> str:
    """Return the receipt of a process's current version; the latest receipt before there is a version.

    Raises:
        Refused: no archive of the process was received.
        Transient: the database does not answer.
    """
    return _known(receipts.current_receipt_id(reference))


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


def unknown_reference() -> Refused:
    """Return the error for a process of which no archive was received."""
    detail = "no archive of this process was received; `cellar list` shows the archives"
    return Refused("UNKNOWN_REFERENCE", detail, where="reference", status=404)


def _known(receipt_id: str | None) -> str:
    if receipt_id is None:
        raise unknown_reference()
    return receipt_id

"""Revokes public links. A link shows a receipt, however often it was given out."""

from datetime import datetime

from adapters.store.revoked_links import RECORDS
from adapters.tables.runs import receipts
from models.access import RevokedLink
from models.errors import Refused


def revoke(receipt_id: str, by: str, why: str, now: datetime) -> RevokedLink:
    """Let the link of a receipt open nothing from now on, also where the same body comes again.

    Raises:
        Refused: there is no such receipt.
        Conflict: the record is damaged, or somebody else revokes it at the same time.
        Transient: store or database does not answer.
    """
    if receipts.find(receipt_id) is None:
        raise Refused("UNKNOWN_RECEIPT", "no link shows this receipt", status=404)
    made = RevokedLink(receipt_id=receipt_id, revoked_at=now, revoked_by=by, why=why)
    return RECORDS.change(receipt_id, lambda before: before or made)

"""Removes completed receipts from the inbox."""

from adapters.inbox import inbox
from adapters.tables.runs import receipts


def leave_inbox(receipt_id: str) -> None:
    """Remove a completed receipt from the inbox. A delivery that is not yet registered stays, to be registered.

    Raises:
        Transient: the database or the inbox's bucket does not answer.
    """
    for delivery_id in receipts.delivery_ids(receipt_id):
        inbox.remove_delivery(delivery_id)
    inbox.remove_body(receipt_id)

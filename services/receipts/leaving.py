"""Removes completed receipts from the inbox."""

from collections.abc import Iterable

from adapters.inbox import inbox
from adapters.tables.runs import receipts


def leave_inbox(receipt_id: str) -> None:
    """Remove a completed receipt from the inbox. A delivery that is not yet registered stays, to be registered.

    Raises:
        Transient: the database or the inbox's bucket does not answer.
    """
    leave_again(receipt_id, receipts.delivery_ids(receipt_id))


def leave_again(receipt_id: str, delivery_ids: Iterable[str]) -> None:
    """Remove registered deliveries of a receipt that had left the inbox before. It may have come thousands of times.

    Raises:
        Transient: the inbox's bucket does not answer.
    """
    for delivery_id in delivery_ids:
        inbox.remove_delivery(delivery_id)
    inbox.remove_body(receipt_id)

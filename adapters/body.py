"""The raw body of a receipt, wherever it is."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import BinaryIO

from adapters import inbox, store
from models.errors import Refused


@contextmanager
def opened_body(reference: str, receipt_id: str) -> Iterator[BinaryIO]:
    """The body as it was sent: from the inbox while it waits there, from the store afterwards.

    Raises:
        Refused: neither has it.
        Transient: the inbox's bucket or the store does not answer.
    """
    with ExitStack() as stack:
        try:
            body = stack.enter_context(inbox.opened_body(receipt_id))
        except FileNotFoundError:
            body = stack.enter_context(_from_store(reference, receipt_id))
        yield body


def keep_body(reference: str, receipt_id: str) -> None:
    """Have the body in the store too, where it still waits in the inbox.

    Raises:
        Refused: neither has it.
        Transient: the inbox's bucket or the store does not answer.
    """
    key = store.request_key(reference, receipt_id)
    try:
        if inbox.has_body(receipt_id):
            store.keep_from(inbox.body_location(receipt_id), key)
    except FileNotFoundError:
        pass  # another run of the receipt has just completed it; then the store has the body
    if store.stored_size(key) is None:
        raise _missing(receipt_id)


@contextmanager
def _from_store(reference: str, receipt_id: str) -> Iterator[BinaryIO]:
    key = store.request_key(reference, receipt_id)
    if store.stored_size(key) is None:
        raise _missing(receipt_id)
    with store.opened(key) as body:
        yield body


def _missing(receipt_id: str) -> Refused:
    return Refused("BODY_MISSING", f"neither inbox nor store has the body of receipt {receipt_id}")

"""The raw body of a receipt, wherever it is."""

from contextlib import AbstractContextManager
from typing import BinaryIO

from adapters import inbox, store
from adapters.settings import settings
from models.errors import Refused


def opened_body(reference: str, receipt_id: str) -> AbstractContextManager[BinaryIO]:
    """The body as it was sent: from the inbox while it waits there, from the store afterwards.

    Raises:
        Refused: neither has it.
        Transient: the store does not answer.
    """
    try:
        return inbox.body_path(settings().inbox_dir, receipt_id).open("rb")
    except FileNotFoundError:
        pass
    key = store.request_key(reference, receipt_id)
    if store.stored_size(key) is None:
        raise Refused("BODY_MISSING", f"neither inbox nor store has the body of receipt {receipt_id}")
    return store.opened(key)

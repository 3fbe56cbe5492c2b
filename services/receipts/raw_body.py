"""Opens the raw body of a receipt, from the inbox or the store."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from adapters.inbox import inbox
from adapters.store.objects.requests import stored_request
from models.errors import Refused

_CHUNK_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class RawBody:
    """A body in pieces: from the inbox as it arrived, or rebuilt from the files of the store."""

    chunks: Iterator[bytes]
    is_from_inbox: bool


@contextmanager
def opened_raw_body(reference: str, receipt_id: str) -> Iterator[RawBody]:
    """Open the body as it was sent: from the inbox while it waits there, from the store afterwards.

    Raises:
        Refused: neither inbox nor store has the body.
        Transient: the inbox or the store does not answer.
    """
    with ExitStack() as stack:
        try:
            body = stack.enter_context(inbox.opened_body(receipt_id))
        except FileNotFoundError:
            yield RawBody(_stored(reference, receipt_id), is_from_inbox=False)
        else:
            yield RawBody(iter(lambda: body.read(_CHUNK_BYTES), b""), is_from_inbox=True)


def _stored(reference: str, receipt_id: str) -> Iterator[bytes]:
    stored = stored_request(reference, receipt_id)
    if stored is None:
        raise Refused("BODY_MISSING", f"neither inbox nor store has the body of receipt {receipt_id}")
    return stored.body()

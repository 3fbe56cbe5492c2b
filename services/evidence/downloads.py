"""Hands out requests and files, and compares their bytes with their digests on the way."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import BinaryIO

from adapters.files.store import store
from adapters.store import ocfl
from adapters.store.objects.requests import stored_request
from models.errors import Conflict, Unreadable
from services.evidence.proving import doubts, refuse_doubtful
from services.receipts import opened_raw_body


def hand_out_request(reference: str, receipt_id: str, target: BinaryIO, *, even_damaged: bool = False) -> None:
    """Write a request as it was sent, from the store or the inbox.

    The archive is proved first, unless the request still waits in the inbox. With `even_damaged`, only the request
    itself must be right.

    Raises:
        Conflict: the archive does not prove, or the body does not match the receipt and must not be used.
        Refused: neither store nor inbox has the body.
    """
    request = stored_request(reference, receipt_id)
    if request and not even_damaged:
        refuse_doubtful(doubts(request))
    elif not request:
        _read_whole(reference, receipt_id, len)
    _read_whole(reference, receipt_id, target.write)


def _read_whole(reference: str, receipt_id: str, take: Callable[[bytes], object]) -> None:
    digest = hashlib.sha256()
    with opened_raw_body(reference, receipt_id) as body:
        for chunk in body.chunks:
            digest.update(chunk)
            take(chunk)
    if digest.hexdigest() != receipt_id:
        raise Conflict(f"the body does not match receipt {receipt_id}; do not use it, and run `cellar verify`")


def file_chunks(reference: str, sha256: str, size_bytes: int) -> Iterator[bytes]:
    """Return a file of an archive in chunks. The last chunk comes only if the digest of all chunks is right.

    So a reader who expects `size_bytes` never has a whole file of other bytes. A file of one chunk is compared before
    the first byte is returned.

    Raises:
        Conflict: the store has lost the file or a part of it, or has other bytes. Also raised for the last chunk.
    """
    stored = ocfl.inventory(reference)
    if stored is None or sha256 not in stored.manifest:
        raise _lost(sha256)
    key = ocfl.content_key(reference, stored, sha256)
    if store().size(key) != size_bytes:  # once an answer has begun, no error can be reported
        raise _lost(sha256)
    chunks = _compared(store().chunks(key), sha256)
    return chain([next(chunks)], chunks)


def is_whole(reference: str, sha256: str, size_bytes: int) -> bool:
    """Return whether the store has a file of an archive as it was written. Raises Transient as `file_chunks`."""
    try:
        deque(file_chunks(reference, sha256, size_bytes), 0)
    except (Conflict, Unreadable):
        return False
    return True


def _compared(chunks: Iterable[bytes], sha256: str) -> Iterator[bytes]:
    digest, held = hashlib.sha256(), b""
    for chunk in chunks:
        digest.update(chunk)
        if held:
            yield held
        held = chunk
    if digest.hexdigest() != sha256:
        raise Conflict(f"file {sha256} is damaged in the store; run `cellar verify`")
    yield held


def _lost(sha256: str) -> Conflict:
    return Conflict(f"the store has lost file {sha256}, or a part of it; run `cellar verify`")

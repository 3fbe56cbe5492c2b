"""Hands out requests and files: proves an archive first, and compares the bytes with their digests on the way."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import BinaryIO

from adapters.files.store import store
from adapters.store import ocfl, seals
from adapters.store.objects.requests import StoredRequest, stored_request
from adapters.store.ocfl import REQUEST
from models.archive.archive import Archive
from models.archive.content import ContentCut
from models.errors import Conflict, Locked, Unreadable
from models.store.condition import ConditionCode
from models.store.fixity import Fault, FixityFinding
from services.anchors.anchors import against_newest
from services.custody.objects import object_of
from services.custody.verifying import verify_object
from services.receipts import opened_raw_body

_MOST_NAMED = 3


def doubts(request: StoredRequest) -> tuple[FixityFinding, ...]:
    """Return everything that speaks against a request and its archive; nothing if they prove.

    Reads the whole object, rebuilds each request in it, and holds it against the anchors of the store. A lost key
    speaks against nothing: it may have been destroyed on purpose, and the stored parts prove without it. `is_locked`
    says that the request does not.
    """
    stored = object_of(request.reference)
    key = seals.key_location(request.reference)
    findings = verify_object(stored).findings
    found = [each for each in findings if each.fault is not Fault.INTERRUPTED and each.key != key]
    named = [*found, *against_newest(request.reference)]
    return tuple({each.key: each for each in reversed(named)}.values())[::-1]


def is_locked(request: StoredRequest) -> bool:
    """Return whether a request has sealed values that cannot be opened, so that it cannot be rebuilt."""
    if is_in_clear(request):
        return False
    try:
        seals.check_key(request.reference)
    except Locked:
        return True
    return False


def is_in_clear(request: StoredRequest) -> bool:
    """Return whether the parts in a bag rebuild the request: nothing of it is sealed."""
    try:
        return REQUEST not in request.keys and all(isinstance(each, ContentCut) for each in request.all_cuts())
    except Conflict:
        return False


def refuse_doubtful(findings: Sequence[FixityFinding]) -> None:
    """Refuse to hand out an archive with findings.

    Raises:
        Conflict: there are findings.
    """
    if not findings:
        return
    named = "; ".join(finding_text(each) for each in findings[:_MOST_NAMED])
    more = f"; and {len(findings) - _MOST_NAMED} more" if len(findings) > _MOST_NAMED else ""
    raise Conflict(
        f"the archive does not prove, so nothing was exported: {named}{more}; see `cellar verify` and `cellar verify "
        f"--against`, and {_remedy(findings)}; or export it with --damaged, as a bag that says so",
        code="NOT_PROVEN",
    )


def _remedy(findings: Sequence[FixityFinding]) -> str:
    if all(each.fault in (Fault.DIFFERS, Fault.STALE) for each in findings):
        return ConditionCode.ROWS_DIFFER.meaning.to_do
    return "put it back by `cellar restore REFERENCE`"


def finding_text(finding: FixityFinding) -> str:
    return f"{finding.fault}: {finding.key}: expected {finding.expected}, found {finding.found}"


def readable(request: StoredRequest) -> Archive | None:
    """Return the archive of a request, without its secrets if their key is gone; None if it cannot be read at all."""
    try:
        return request.readable_archive()
    except Conflict:
        return None


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
        raise Conflict(f"file {sha256} is damaged in the store; run `cellar verify`", code="BODY_DAMAGED")
    yield held


def _lost(sha256: str) -> Conflict:
    return Conflict(f"the store has lost file {sha256}, or a part of it; run `cellar verify`", code="FILE_LOST")

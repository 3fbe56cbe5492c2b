"""Persists the files of a receipt: its body is scanned again, and each content goes to the store as it is decoded."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

from adapters import store
from adapters.body import opened_body
from adapters.durable import pushed, write_whole
from domain.reading import reference_of
from domain.scan import Scanner
from flows.threads import checkpoint
from models.content import StoredContent
from models.errors import Conflict, Refused, Transient

_CHUNK_BYTES = 4 << 20


def persist(reference: str, receipt_id: str) -> list[StoredContent]:
    """Put a receipt's decoded files, their list and its skeleton into the store, and return the list.

    Streams: memory does not grow with the body, which one thread digests while another decodes it. The skeleton comes
    last; where it is, all else is.

    Raises:
        Refused: the body is no archive of this process.
        Conflict: the body is not the one that was received.
        Transient: the store does not work now.
    """
    with opened_body(reference, receipt_id) as body, _StoringSink(reference) as sink, ThreadPoolExecutor(1) as other:
        scanner = Scanner(sink)
        digest = hashlib.sha256()
        while chunk := body.read(_CHUNK_BYTES):
            checkpoint()
            digested = other.submit(digest.update, chunk)
            scanner.feed(chunk)
            digested.result()
    if digest.hexdigest() != receipt_id:
        raise Conflict(f"the body of receipt {receipt_id} has changed on its disk: its digest is another now")
    scan = scanner.close()
    if reference_of(scan.document) != reference:
        raise Refused("WRONG_REFERENCE", f"receipt {receipt_id} is an archive of another process than asked for")
    store.keep_bytes(_to_json(sink.stored), store.contents_key(reference, receipt_id))
    store.keep_bytes(scan.skeleton, store.skeleton_key(reference, receipt_id))
    return sink.stored


def stored_contents(reference: str, receipt_id: str) -> list[StoredContent]:
    """The list that `persist` left."""
    records = json.loads(store.read_bytes(store.contents_key(reference, receipt_id)))
    return [StoredContent(**record) for record in records]


class _StoringSink:
    """Takes decoded contents, one after the other, into the store. A context: an unfinished one leaves nothing."""

    def __init__(self, reference: str) -> None:
        self.stored: list[StoredContent] = []
        self._reference = reference
        self._spool_context = ExitStack()

    def __enter__(self) -> "_StoringSink":
        return self

    def __exit__(self, *_: object) -> None:
        self._spool_context.close()

    def begin(self, index: int) -> None:
        checkpoint()  # a chunk may hold thousands of files, each of which is synced
        self._spool: BinaryIO = self._spool_context.enter_context(store.spooled())
        self._digest = hashlib.sha256()
        self._index, self._size_bytes, self._pushed_bytes = index, 0, 0

    def write(self, data: bytes) -> None:
        self._digest.update(data)
        try:
            write_whole(self._spool, data)
        except OSError as error:
            raise Transient(f"the spool folder does not take more: {error.strerror}") from error
        self._size_bytes += len(data)
        self._pushed_bytes = pushed(self._spool.fileno(), self._pushed_bytes, self._size_bytes)

    def end(self) -> None:
        sha256 = self._digest.hexdigest()
        store.keep_file(Path(self._spool.name), store.file_key(self._reference, sha256), sha256)
        self._spool_context.close()
        self.stored.append(StoredContent(self._index, sha256, self._size_bytes))


def _to_json(stored: list[StoredContent]) -> bytes:
    return json.dumps([asdict(content) for content in stored]).encode()

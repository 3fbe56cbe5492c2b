"""Persists a receipt: its body is scanned again, its contents decoded beside the store, and all of it becomes the next
version of its process's archive; or a delivery, where it says nothing new.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from adapters import ocfl, receipts, store
from adapters.clamd import SOUND, scanned
from adapters.durable import pushed, write_whole
from adapters.settings import settings
from adapters.signed_document import examine
from adapters.stored import CUTS, FILES, REQUEST, SKELETON, VERDICT, StoredRequest, keep_delivery, stored_request
from domain.cuts import cuts_json, rebuilt
from domain.json_text import JsonFault, parse
from domain.media_type import HEAD_BYTES, sniffed
from domain.reading import reference_of
from domain.scan import Scan, Scanner
from domain.spelling import SpellingReader
from domain.versions import said
from flows.body import Body, opened_body
from flows.threads import checkpoint
from models.content import ContentCut, Role, StoredContent
from models.errors import Conflict, Refused
from models.inventory import Inventory, ObjectVersion
from models.spelling import Spelling
from models.verdict import verdict_as_json

log = structlog.get_logger()

_READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Persisted:
    version: int
    contents: list[StoredContent]


def persist(reference: str, receipt_id: str) -> Persisted:
    """Archive a receipt's files and skeleton in the store. Done again, it changes nothing that is right.

    Streams: memory does not grow with the body, which one thread digests while another decodes it. Where the inbox
    still has the body, what is damaged in the store is mended.

    Raises:
        Refused: the body is no archive of this process.
        Conflict: the body is not the one that was received, or the store is damaged.
        Transient: the store does not work now.
    """
    with store.staging() as stage, opened_body(reference, receipt_id) as body:
        content = stage / "content"
        (content / FILES).mkdir(parents=True)
        scan, cuts, is_proved = _staged(body, content, reference, receipt_id)
        before = ocfl.settled(reference)
        known = stored_request(reference, receipt_id)
        if known is None:
            if not is_proved:
                _keep_what_rebuilds(scan, cuts, content, receipt_id)
            number = _archive(reference, receipt_id, before, scan, cuts, stage)
        else:
            number = known.version
            if body.is_from_inbox and not known.is_whole(checkpoint):
                _keep_what_rebuilds(scan, cuts, content, receipt_id)
                _examine(scan, cuts, content)
                _mend(reference, known, content)
    return Persisted(number, [cut.content for cut in cuts])


def _staged(body: Body, content: Path, reference: str, receipt_id: str) -> tuple[Scan, list[ContentCut], bool]:
    """Scan a body, and put its files, skeleton and cuts into a folder. Tell whether they are known to rebuild it."""
    digest = hashlib.sha256()
    with closing(_StagingSink(content / FILES, is_new=body.is_from_inbox)) as sink, ThreadPoolExecutor(1) as other:
        scanner = Scanner(sink)
        with _damage_told(body, receipt_id):
            for chunk in body.chunks:
                checkpoint()
                digested = other.submit(digest.update, chunk)
                scanner.feed(chunk)
                digested.result()
    if digest.hexdigest() != receipt_id:
        raise _damaged(receipt_id)
    scan = scanner.close()
    if reference_of(scan.document) != reference:
        raise Refused("WRONG_REFERENCE", f"receipt {receipt_id} is an archive of another process than asked for")
    cuts = [
        ContentCut(each, cut.skeleton_offset, spelling)
        for each, cut, spelling in zip(sink.stored, scan.cuts, sink.spellings, strict=True)
    ]
    (content / SKELETON).write_bytes(scan.skeleton)
    (content / CUTS).write_bytes(cuts_json(cuts))
    return scan, cuts, sink.is_proved


@contextmanager
def _damage_told(body: Body, receipt_id: str) -> Iterator[None]:
    """What was rebuilt was a sound archive once."""
    try:
        yield
    except Refused as error:
        if body.is_from_inbox:
            raise
        raise _damaged(receipt_id) from error


def _damaged(receipt_id: str) -> Conflict:
    return Conflict(f"receipt {receipt_id} is not what was received: something of it is damaged; send it again")


def _keep_what_rebuilds(scan: Scan, cuts: list[ContentCut], content: Path, receipt_id: str) -> None:
    """Keep the raw body beside the rest if it cannot be rebuilt from that."""
    digest = hashlib.sha256()
    for piece in rebuilt(scan.skeleton, cuts, lambda sha256: _chunks(content / FILES / sha256)):
        checkpoint()
        digest.update(piece)
    if digest.hexdigest() == receipt_id:
        return
    with opened_body(reference_of(scan.document), receipt_id) as body, (content / REQUEST).open("wb", 0) as file:
        for chunk in body.chunks:
            checkpoint()
            write_whole(file, chunk)


def _archive(
    reference: str, receipt_id: str, before: Inventory | None, scan: Scan, cuts: list[ContentCut], stage: Path
) -> int:
    """Make the next version, or a delivery of the current one, and return the version's number."""
    content, current = stage / "content", _current(reference, before)
    if current and _said(scan.document, cuts) == _said_by(current):
        keep_delivery(reference, receipt_id, current.version, content)
        return current.version
    _examine(scan, cuts, content)
    state = {f"{FILES}/{path.name}": path.name for path in sorted((content / FILES).iterdir())}
    state |= {name: _digest(content / name) for name in (SKELETON, CUTS, VERDICT, REQUEST) if (content / name).exists()}
    version = ObjectVersion(receipts.get(receipt_id).received_at, receipt_id, state)
    contents = {sha256: name for name, sha256 in state.items()}
    return ocfl.add_version(reference, before, version, stage, contents, checkpoint).head


def _examine(scan: Scan, cuts: list[ContentCut], content: Path) -> None:
    """Judge the signed document, where one came. Of duplicate keys the last counts, here as everywhere."""
    signed = scan.document.get(Role.SIGNED_DOCUMENT)
    index = signed.get("content") if isinstance(signed, dict) else None
    if index is None or not cuts[int(index)].content.size_bytes:
        return
    roots = [Path(root) for root in settings().trust_roots]
    document = content / FILES / cuts[int(index)].content.sha256
    verdict = examine(document, roots, now=datetime.now(UTC), checkpoint=checkpoint)
    (content / VERDICT).write_text(json.dumps(verdict_as_json(verdict)))


def _current(reference: str, inventory: Inventory | None) -> StoredRequest | None:
    """The version whose rows stand; before there are rows, the last."""
    if inventory is None:
        return None
    receipt_id = receipts.current_receipt_id(reference)
    current = stored_request(reference, receipt_id) if receipt_id else None
    return current or stored_request(reference, inventory.versions[-1].message)


def _said_by(current: StoredRequest) -> str | None:
    """What a version says; nothing if it is damaged, which must not hold up the next one."""
    try:
        return _said(parse(current.skeleton()), current.cuts())
    except (Conflict, JsonFault):
        log.error("the current version is damaged; see `cellar verify`", receipt_id=current.receipt_id)
        return None


def _said(document: dict[str, Any], cuts: Iterable[ContentCut]) -> str:
    return said(document, [cut.content.sha256 for cut in cuts])


def _mend(reference: str, known: StoredRequest, content: Path) -> None:
    """Put what was staged in the place of what the store has lost or has damaged."""
    log.warning("a damaged archive is mended", receipt_id=known.receipt_id)
    staged = {path.name: path for path in (content / FILES).iterdir()}
    staged |= {
        _digest(content / name): content / name
        for name in (SKELETON, CUTS, VERDICT, REQUEST)
        if (content / name).exists()
    }
    for sha256 in staged.keys() & known.files.keys():
        checkpoint()
        if store.digest_of(known.files[sha256]) != sha256:
            store.overwrite(staged[sha256], known.files[sha256])
    if not known.is_version:
        keep_delivery(reference, known.receipt_id, known.version, content)


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    for chunk in _chunks(path):
        digest.update(chunk)
    return digest.hexdigest()


def _chunks(path: Path) -> Iterable[bytes]:
    with path.open("rb") as file:
        yield from iter(partial(file.read, _READ_BYTES), b"")


class _StagingSink:
    """Takes decoded contents, one after the other, into files of a folder that are named by their digests."""

    def __init__(self, folder: Path, *, is_new: bool) -> None:
        self._is_new = is_new
        self.stored: list[StoredContent] = []
        self.spellings: list[Spelling] = []
        self.is_proved = True
        """Whether every content is known to come back as it was written, without a look at the rebuilt request."""
        self._folder = folder
        self._open = ExitStack()

    def close(self) -> None:
        """Let go of a file that is not complete."""
        self._open.close()

    def begin(self, index: int) -> None:
        checkpoint()  # a chunk may hold thousands of files
        self._path = self._folder / f"{index}.part"
        self._file = self._open.enter_context(self._path.open("wb", buffering=0))
        self._digest, self._spelling = hashlib.sha256(), SpellingReader()
        self._index, self._size_bytes, self._pushed_bytes, self._head = index, 0, 0, b""

    def text(self, piece: memoryview) -> None:
        self._spelling.feed(piece)

    def write(self, data: bytes) -> None:
        self._digest.update(data)
        if len(self._head) < HEAD_BYTES:
            self._head += data[:HEAD_BYTES]
        write_whole(self._file, data)
        self._size_bytes += len(data)
        self._pushed_bytes = pushed(self._file.fileno(), self._pushed_bytes, self._size_bytes)

    def end(self, *, is_plain: bool) -> None:
        self.close()
        self.is_proved = self.is_proved and is_plain
        sha256 = self._digest.hexdigest()
        path = self._path.replace(self._folder / sha256)
        found = scanned(path, checkpoint) if self._is_new else SOUND
        content = StoredContent(
            index=self._index,
            sha256=sha256,
            size_bytes=self._size_bytes,
            looks_like=sniffed(self._head),
            infection=found.infection,
            is_scanned=found.is_whole,
        )
        self.stored.append(content)
        self.spellings.append(self._spelling.spelling(self._size_bytes))

"""Stages a receipt: scans its body into a folder with the files that make up a version of its archive."""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from adapters.documents.clamd import SOUND, scanned
from adapters.files.spool import translated, write_spooled
from adapters.platform.cancellation import checkpoint
from adapters.platform.durable import pushed
from adapters.store import seals
from adapters.store.ocfl import CUTS, FILES, KEPT, REQUEST, SCANS, SKELETON
from domain.archive.reading import reference_of
from domain.body.cuts import cuts_json, rebuilt, scans_json
from domain.body.media_type import HEAD_BYTES, sniffed
from domain.body.scan import Scan, Scanner
from domain.body.spelling import SpellingReader
from domain.secrets.sealing import sealed
from models.archive.content import ContentCut, Spelling, StoredContent
from models.errors import Conflict, Refused
from models.said import Sentence
from services.receipts import RawBody, opened_raw_body

_READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Staged:
    """A receipt in the folder `content`: files by their digests, skeleton and cuts, with the card secrets sealed.

    `scan` and `cuts` describe the body as it arrived, and are never written.
    `is_plain`: encoding each file gives the base64 that arrived, so the files are known to rebuild the request.
    `is_from_inbox`: as of its body.
    """

    receipt_id: str
    content: Path
    scan: Scan
    cuts: list[ContentCut]
    is_plain: bool
    is_from_inbox: bool

    def digests(self) -> dict[str, str]:
        """Return the digests of all staged files, by their paths in `content`."""
        files = {f"{FILES}/{path.name}": path.name for path in sorted((self.content / FILES).iterdir())}
        others = [name for name in KEPT if (self.content / name).exists()]
        return files | {name: _digest(_chunks(self.content / name)) for name in others}


def stage(content: Path, reference: str, receipt_id: str) -> Staged:
    """Scan the body of a receipt into the empty folder `content`. `write_sealed` adds skeleton and cuts.

    Raises:
        Refused: the body is missing, or not an archive of this process.
        Conflict: the body does not match the receipt id, or was rebuilt from damaged files.
        Transient: the store or the inbox does not work now.
    """
    with translated():
        (content / FILES).mkdir(parents=True)
    with opened_raw_body(reference, receipt_id) as body, ThreadPoolExecutor(1) as other:
        digest = hashlib.sha256()  # computed by the other thread, while this one decodes the body
        with closing(_StagingSink(content / FILES, is_new=body.is_from_inbox)) as sink:
            scanner = Scanner(sink)
            with _damage_reported(body, receipt_id):
                for chunk in body.chunks:
                    checkpoint()
                    digested = other.submit(digest.update, chunk)
                    scanner.feed(chunk)
                    digested.result()
    if digest.hexdigest() != receipt_id:
        raise _damaged(receipt_id)
    scan = scanner.close()
    if reference_of(scan.document) != reference:
        raise Refused("WRONG_REFERENCE", Sentence.receipt_of_other(receipt=receipt_id))
    cuts = [
        ContentCut(each, cut.skeleton_offset, spelling)
        for each, cut, spelling in zip(sink.stored, scan.cuts, sink.spellings, strict=True)
    ]
    checkpoint()
    if cuts:
        with translated():
            (content / SCANS).write_bytes(scans_json(cuts))
    return Staged(receipt_id, content, scan, cuts, sink.is_plain, body.is_from_inbox)


def write_sealed(staged: Staged, secrets: Sequence[tuple[int, int]], *, is_new: bool = False) -> None:
    """Write skeleton and cuts, with the ranges `secrets` sealed. Raises as `sealer` does, which also takes `is_new`."""
    seal, blind = seals.sealer(reference_of(staged.scan.document), is_new=is_new)
    left, all_cuts = sealed(staged.scan.skeleton, staged.cuts, secrets, seal, blind)
    with translated():
        (staged.content / SKELETON).write_bytes(left)
        (staged.content / CUTS).write_bytes(cuts_json(all_cuts))


def stage_what_rebuilds(staged: Staged) -> None:
    """Stage the encrypted raw body too, if it cannot be rebuilt from the other files."""
    folder = staged.content / FILES
    pieces = rebuilt(staged.scan.skeleton, staged.cuts, lambda sha256: _chunks(folder / sha256), bytes)
    if staged.is_plain or _digest(pieces) == staged.receipt_id:
        return
    reference = reference_of(staged.scan.document)
    with ExitStack() as stack:
        body = stack.enter_context(opened_raw_body(reference, staged.receipt_id))
        with translated():
            file = stack.enter_context((staged.content / REQUEST).open("wb", 0))
        for chunk in seals.sealed_chunks(reference, staged.receipt_id, body.chunks):
            checkpoint()
            write_spooled(file, chunk)


@contextmanager
def _damage_reported(body: RawBody, receipt_id: str) -> Iterator[None]:
    """Report a refused body from the store as damaged, since it was a sound archive once."""
    try:
        yield
    except Refused as error:
        if body.is_from_inbox:
            raise
        raise _damaged(receipt_id) from error


def _damaged(receipt_id: str) -> Conflict:
    return Conflict(Sentence.body_damaged(receipt=receipt_id), code="BODY_DAMAGED")


def _digest(pieces: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        checkpoint()
        digest.update(piece)
    return digest.hexdigest()


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from iter(partial(file.read, _READ_BYTES), b"")


class _StagingSink:
    """A sink that writes decoded contents, one after the other, into files of a folder, named by their digests."""

    def __init__(self, folder: Path, *, is_new: bool) -> None:
        self.stored: list[StoredContent] = []
        self.spellings: list[Spelling] = []
        self.is_plain = True
        self._is_new = is_new  # contents from the store were scanned at their arrival
        self._folder = folder
        self._open = ExitStack()

    def close(self) -> None:
        """Close a file that is not complete."""
        self._open.close()

    def begin(self, index: int) -> None:
        checkpoint()  # a chunk may hold thousands of files
        self._path = self._folder / f"{index}.part"
        with translated():
            self._file = self._open.enter_context(self._path.open("wb", buffering=0))
        self._digest, self._spelling = hashlib.sha256(), SpellingReader()
        self._index, self._size_bytes, self._pushed_bytes, self._head = index, 0, 0, b""

    def text(self, piece: memoryview) -> None:
        self._spelling.feed(piece)

    def write(self, data: bytes) -> None:
        self._digest.update(data)
        if len(self._head) < HEAD_BYTES:
            self._head += data[:HEAD_BYTES]
        write_spooled(self._file, data)
        self._size_bytes += len(data)
        self._pushed_bytes = pushed(self._file.fileno(), self._pushed_bytes, self._size_bytes)

    def end(self, *, is_plain: bool) -> None:
        self.is_plain = self.is_plain and is_plain
        sha256 = self._digest.hexdigest()
        with translated():
            self.close()
            path = self._path.replace(self._folder / sha256)
        found = scanned(path) if self._is_new else SOUND
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

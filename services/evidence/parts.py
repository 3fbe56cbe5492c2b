"""Returns the files of a bag: the documents, the parts of the request, and the proof by an anchor."""

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from adapters.files.bag import BagFile
from adapters.files.store import store
from adapters.store import ocfl
from adapters.store.objects.deliveries import delivery_path
from adapters.store.objects.requests import StoredRequest, stored_version
from adapters.store.ocfl import CUTS, SCANS, SKELETON, VERDICT
from domain.anchors import leaf_text, statement_text
from domain.archive.file_names import safe_names
from domain.summary_page import ExportedFile
from models.archive.archive import Archive
from models.archive.content import ContentCut
from models.errors import Conflict
from models.store.anchor import AnchorProof
from models.views.archives.archives import DeliveryView

_JUDGEMENTS = "verdicts"
"""The folder in an object's logs with later judgements on signed documents, by the receipt of their version."""


@dataclass(frozen=True, slots=True)
class Document:
    """A content of the request in the bag. `exported` is None if nothing in the archive names the content."""

    file: BagFile
    exported: ExportedFile | None
    size_bytes: int


def documents(request: StoredRequest, archive: Archive | None, *, are_whole: bool) -> list[Document]:
    """Return the contents of a request, under their own names where the archive names them.

    Args:
        request: the request.
        archive: what it says; None if that cannot be read.
        are_whole: the contents must match their digests. Otherwise missing contents are left out, and others are taken
            as they are.
    """
    stored = [(each, each.stored) for each in (archive.contents if archive else ()) if each.stored]
    names = safe_names([each.filename for each, _ in stored], [each.media_type for each, _ in stored])
    found = []
    for name, (content, kept) in zip(names, stored, strict=True):
        file = _content(request, f"files/{name}", kept.sha256, are_whole=are_whole)
        found += [Document(file, ExportedFile(file.path, content), kept.size_bytes)] if file else []
    named = {kept.sha256 for _, kept in stored}
    for cut in {each.content.sha256: each for each in _cuts(request)}.values():
        file = _content(request, f"contents/{cut.content.sha256}", cut.content.sha256, are_whole=are_whole)
        if file and cut.content.sha256 not in named:
            found.append(Document(file, None, cut.content.size_bytes))
    return found


def parts(request: StoredRequest, *, are_whole: bool) -> Iterator[BagFile]:
    """Yield the parts that rebuild a request, its verdicts and scan results, and the inventory of its object."""
    for name in (SKELETON, CUTS, SCANS, VERDICT):
        if name in request.keys and (are_whole or store().size(request.keys[name]) is not None):
            yield _of_key(name, request.keys[name])
    key = ocfl.object_key(request.reference)
    yield _of_key(ocfl.INVENTORY, f"{key}/{ocfl.INVENTORY}")
    if not request.is_version:
        yield _of_key("delivery.json", f"{key}/{delivery_path(request.receipt_id)}")
    judged = stored_version(request.reference, request.version).receipt_id
    for judgement, _ in store().listed(f"{key}/{ocfl.LOGS}/{_JUDGEMENTS}/{judged}"):
        yield _of_key(f"judgements/{PurePosixPath(judgement).name}", judgement)


def receipt_file(receipt_id: str, deliveries: Sequence[DeliveryView]) -> BagFile:
    """Return the receipt as the sender was answered, without the public link, and the times of its deliveries."""
    arrived = [
        {"received_at": each.received_at.isoformat(), "outcome": each.outcome}
        for each in deliveries
        if each.receipt_id == receipt_id
    ]
    answer = {"status": "0", "document": {"reference": receipt_id}, "errordesc": ""}
    return of_json("receipt.json", answer | {"deliveries": arrived})


def of_json(path: str, document: object) -> BagFile:
    return of_bytes(path, json.dumps(document, indent=1, ensure_ascii=False).encode())


def of_bytes(path: str, data: bytes) -> BagFile:
    return BagFile(path, partial(io.BytesIO, data))


def _content(request: StoredRequest, path: str, sha256: str, *, are_whole: bool) -> BagFile | None:
    key = request.files.get(sha256)
    if key is None or (not are_whole and store().size(key) is None):
        return None
    return BagFile(path, partial(store().opened, key), sha256 if are_whole else None)


def _of_key(path: str, key: str) -> BagFile:
    return BagFile(path, partial(store().opened, key))


def _cuts(request: StoredRequest) -> list[ContentCut]:
    try:
        return request.cuts()
    except Conflict:
        return []


def proof_files(proof: AnchorProof | None, roots: Sequence[Path]) -> Iterator[BagFile]:
    """Yield the files of a proof. Leaf and statement are what was hashed, signed and stamped, byte for byte.

    Args:
        proof: the proof, if there is one.
        roots: the files of the root certificates of time-stamp authorities, as PEM.
    """
    if proof is None:
        return
    included = proof.inclusion
    yield of_bytes("proof/leaf.json", leaf_text(included.leaf))
    yield of_bytes("proof/path.json", json.dumps({"index": included.index, "path": included.path}).encode())
    yield of_bytes("proof/statement.json", statement_text(included.statement))
    yield of_bytes("proof/statement.sig", proof.signature)
    yield of_bytes("proof/key.pem", proof.public_key)
    for number, (_, token) in enumerate(sorted(proof.tokens.items()), 1):
        yield of_bytes(f"proof/time-stamp-{number}.tsr", token)
    if proof.tokens and roots:
        yield of_bytes("proof/authorities.pem", b"\n".join(each.read_bytes() for each in roots))

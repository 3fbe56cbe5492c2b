"""Writes and reads the cuts of a request, and rebuilds the request from its skeleton, cuts and files."""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from itertools import count
from typing import Any

from domain.body.spelling import spelled
from models.archive.content import ContentCut, SealedCut, Spelling, StoredContent
from models.errors import Conflict
from models.said import Sentence

FORMAT = 1
CONTENT = "content"
"""The kind of a cut that replaces a file's content in base64."""
SEALED = "sealed"
"""The kind of a cut that replaces an encrypted JSON value."""
SEALED_VALUE = b"null"
"""The placeholder of a sealed value in the skeleton, which thus stays JSON that can be read without a key."""

Cut = ContentCut | SealedCut


def cuts_json(cuts: Sequence[Cut]) -> bytes:
    """Return the JSON of the cuts, in the order of their places. Usual parts of a spelling are left out.

    It contains no scan results. So the same request always gives the same bytes, and a damaged `cuts.json` can be made
    again.
    """
    written = [_sealed_json(cut) if isinstance(cut, SealedCut) else _content_json(cut) for cut in cuts]
    return json.dumps({"format": FORMAT, "cuts": written}, indent=1).encode()


def scans_json(cuts: Sequence[ContentCut]) -> bytes:
    """Return the JSON of the scan results of each file at its arrival. It is apart from the cuts, because ClamAV learns
    and the cuts never change.
    """
    seen = {
        cut.content.sha256: {
            "looks_like": cut.content.looks_like,
            "infection": cut.content.infection,
            "is_scanned": cut.content.is_scanned,
        }
        for cut in cuts
    }
    return json.dumps({"format": FORMAT, "files": seen}, indent=1, sort_keys=True).encode()


def with_scans(cuts: Sequence[ContentCut], text: bytes) -> list[ContentCut]:
    """Return the cuts with the results from `scans_json`. If these are damaged, the files count as not scanned."""
    try:
        seen = json.loads(text)["files"]
        return [replace(cut, content=replace(cut.content, **seen[cut.content.sha256])) for cut in cuts]
    except (ValueError, KeyError, TypeError):
        return [replace(cut, content=replace(cut.content, is_scanned=False)) for cut in cuts]


def read_cuts(text: bytes) -> list[Cut]:
    """Read cuts that `cuts_json` wrote. Raises Conflict if the text comes from a newer cellar, or is damaged."""
    try:
        document = json.loads(text)
        if document["format"] != FORMAT or any(cut["kind"] not in (CONTENT, SEALED) for cut in document["cuts"]):
            raise Conflict(Sentence.cuts_newer(number=FORMAT))
        indices = count()
        return [_sealed(cut) if cut["kind"] == SEALED else _cut(next(indices), cut) for cut in document["cuts"]]
    except (ValueError, KeyError, TypeError) as error:
        raise Conflict(Sentence.cuts_damaged(), code="BODY_DAMAGED") from error


def rebuilt(
    skeleton: bytes, cuts: Sequence[Cut], read: Callable[[str], Iterable[bytes]], opened: Callable[[bytes], bytes]
) -> Iterator[bytes]:
    """Rebuild a request in pieces. `read` returns a file's bytes by its digest, `opened` decrypts a sealed value."""
    position = 0
    for cut in cuts:
        yield skeleton[position : cut.skeleton_offset]
        if isinstance(cut, SealedCut):
            yield opened(cut.ciphertext)
        else:
            yield from spelled(read(cut.content.sha256), cut.spelling)
        position = cut.skeleton_offset + len(placeholder(cut))
    yield skeleton[position:]


def _content_json(cut: ContentCut) -> dict[str, Any]:
    return {
        "kind": CONTENT,
        "offset": cut.skeleton_offset,
        "length": len(placeholder(cut)),
        "sha256": cut.content.sha256,
        "size_bytes": cut.content.size_bytes,
        "spelling": spelling_json(cut.spelling),
    }


def spelling_json(spelling: Spelling) -> dict[str, Any]:
    """Return the unusual parts of a spelling."""
    usual = asdict(Spelling())
    return {name: value for name, value in asdict(spelling).items() if value != usual[name]}


def _sealed_json(cut: SealedCut) -> dict[str, Any]:
    return {
        "kind": SEALED,
        "offset": cut.skeleton_offset,
        "length": len(placeholder(cut)),
        "ciphertext": b64encode(cut.ciphertext).decode(),
        "blinded": cut.blinded,
    }


def _sealed(cut: dict[str, Any]) -> SealedCut:
    return SealedCut(cut["offset"], b64decode(cut["ciphertext"], validate=True), cut["blinded"])


def _cut(index: int, cut: dict[str, Any]) -> ContentCut:
    content = StoredContent(index, cut["sha256"], cut["size_bytes"])
    return ContentCut(content, cut["offset"], Spelling(**cut["spelling"]))


def placeholder(cut: Cut) -> bytes:
    """Return the bytes that replace a cut in the skeleton."""
    return SEALED_VALUE if isinstance(cut, SealedCut) else b"%d" % cut.content.index

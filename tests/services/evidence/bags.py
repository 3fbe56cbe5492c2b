"""Makes many kinds of archives, and bags of them."""

import base64
import hashlib
import json
import random
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapters.anchors import anchors, leaves
from adapters.anchors.leaves_file import written
from adapters.files.store import store
from adapters.store import ocfl
from domain.anchors import leaf_text, statement_text
from models.store.anchor import Digest, Leaf, Statement
from services.evidence.bag import evidence, write_evidence
from tests.installations import archived
from tests.samples import sample_body, sample_document
from tests.time_stamp_authorities import Authority

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
DIGESTS = (Digest.SHA256, Digest.SHA512)
SIGNS = bytes([0xFB, 0xEF, 0xBE, 0xFF, 0xFF, 0xFF]) * 9  # "++++////" in base64
SPELLINGS: list[Callable[[bytes], bytes]] = [
    lambda text: text,
    lambda text: text.replace(b"+", b"-").replace(b"/", b"_"),
    lambda text: text.rstrip(b"="),
    lambda text: text.replace(b"/", rb"\/"),
    lambda text: text.replace(b"+", rb"\u002b").replace(b"/", rb"\u002F").replace(b"=", rb"\u003d"),
    lambda text: wrapped(text, 76, rb"\r\n"),
    lambda text: wrapped(text, 13, rb"\u000a").replace(b"/", rb"\/") + rb"\u000a",
    lambda text: b"data:application/pdf;base64," + text,
    lambda text: rb"data:;base64," + wrapped(text.rstrip(b"="), 60, b" "),
]


def wrapped(text: bytes, line: int, line_break: bytes) -> bytes:
    return line_break.join(text[start : start + line] for start in range(0, len(text), line))


def attachments(*files: tuple[str | None, bytes]) -> list[dict[str, Any]]:
    return [
        {"id": str(number), "filename": name, "mimetype": "text/plain", "content": base64.b64encode(data).decode()}
        for number, (name, data) in enumerate(files)
    ]


def in_clear(reference: str, **members: Any) -> bytes:
    """Return a body without card secrets, so that a bag can rebuild it."""
    return sample_body(reference, **{"payments": [], "signed_document": None, "attachments": []} | members)


def spelled_body(reference: str, way: int, data: bytes) -> bytes:
    body = in_clear(reference, attachments=attachments(("a.bin", b"PLACE OF THE FILE")))
    return body.replace(base64.b64encode(b"PLACE OF THE FILE"), SPELLINGS[way](base64.b64encode(data)))


def many_archives(chance: random.Random) -> Iterator[tuple[str, str]]:
    """Archive fifty requests of many kinds, and yield the reference and the receipt id of each."""
    for way in range(len(SPELLINGS)):
        for size_bytes in (1, 2, 3, 400):
            reference = f"spelling {way} of {size_bytes}"
            data = (SIGNS + chance.randbytes(400))[:size_bytes] if size_bytes < 400 else SIGNS + chance.randbytes(346)
            yield reference, archived(reference, spelled_body(reference, way, data))
    called = ("חוזה חתום (1).pdf", "../חוזה.pdf", None, "e", "E")
    hebrew = attachments(*zip(called, (b"one", b"two", b"three", b"", b"four"), strict=True))
    bodies = {
        "plain": in_clear("plain", attachments=attachments(("a.txt", b"text"))),
        "הסכם/2": in_clear("הסכם/2", attachments=hebrew),
        "no files": in_clear("no files", n="long").replace(b'"long"', b"9" * 5000),
        "signed": in_clear("signed", signed_document=sample_document()["signed_document"]),
        "sealed": sample_body("sealed"),
        "sealed without files": sample_body("sealed without files", signed_document=None, attachments=[]),
        "equal files": in_clear("equal files", attachments=attachments(("a", b"same"), ("b", b"same"))),
    }
    repeated = b'"attachments": [{"filename": "first", "content": "Zmlyc3Q="}], "attachments"'
    bodies["equal files"] = bodies["equal files"].replace(b'"attachments"', repeated)
    for reference, body in bodies.items():
        yield reference, archived(reference, body)
    for name, changed in {"grown": in_clear, "sealed and grown": sample_body}.items():
        for number in range(2):
            yield name, archived(name, changed(name, attachments=attachments((f"{number}", b"%d" % number)), n=number))
    for name, body in {"again": in_clear("again"), "sealed again": sample_body("sealed again")}.items():
        archived(name, body)
        yield name, archived(name, json.dumps(json.loads(body), indent=1).encode())
    kept_raw = in_clear("kept raw", attachments=attachments(("a", b"mixed spelling" * 9)))
    place = kept_raw.index(b"bWl4ZWQ") + 8
    yield "kept raw", archived("kept raw", kept_raw[:place] + rb"\n" + kept_raw[place:])


def anchor(references: list[str], authority: Authority | None = None) -> str:
    """Anchor the objects of processes, and return the root. With an authority, by SHA-512."""
    named = sorted(map(leaf_of, references), key=lambda each: each.key)
    before = anchors.newest(store())
    number, root = (before.statement.number + 1, before.root) if before else (1, None)
    key, digest = anchors.fingerprint(anchors.signed(b"")[1]), DIGESTS[authority is not None]
    with written(map(leaf_text, named), digest) as file:
        made = anchors.keep(store(), Statement(number, NOW, file.leaves, file.root, root, key, digest), file)
    if authority:
        store().keep_first(authority.stamp(statement_text(made.statement), digest), made.key(f"{'a' * 16}.tsr"))
    return made.root


def leaf_of(reference: str) -> Leaf:
    leaf = leaves.leaf_of(store(), leaves.object_at(store(), ocfl.object_key(reference)))
    assert leaf
    return leaf


def bag_of(reference: str, receipt_id: str, to: Path, *, even_damaged: bool = False) -> Path:
    write_evidence(evidence(reference, receipt_id, NOW, even_damaged=even_damaged), to, lambda _: None)
    return to


def rewritten(bag: Path, name: str, before: bytes, after: bytes) -> None:
    """Replace a text in a file of a bag, and seal it again without a signature, as a forger does."""
    replaced(bag / name, before, after)
    (bag / "tagmanifest-sha256.sig").unlink(missing_ok=True)
    sealed_again(bag)


def replaced(path: Path, before: bytes, after: bytes) -> None:
    text = path.read_bytes()
    assert before in text
    path.write_bytes(text.replace(before, after))


def sealed_again(bag: Path) -> None:
    """Make the manifests of a bag anew of the files that are there, as whoever lacks the key that signs can."""
    written = sorted(each.relative_to(bag).as_posix() for each in bag.rglob("*") if each.is_file())
    payload = [each for each in written if each.startswith("data/")]
    unlisted = ("tagmanifest-sha256.txt", "tagmanifest-sha256.sig")
    size_bytes = sum((bag / each).stat().st_size for each in payload)
    info = re.sub(
        r"(?m)^Payload-Oxum: .*", f"Payload-Oxum: {size_bytes}.{len(payload)}", (bag / "bag-info.txt").read_text()
    )
    (bag / "bag-info.txt").write_text(info)
    for manifest, its in (
        ("manifest-sha256.txt", payload),
        ("tagmanifest-sha256.txt", [each for each in written if each not in (*payload, *unlisted)]),
    ):
        digests = (f"{hashlib.sha256((bag / each).read_bytes()).hexdigest()}  {each}\n" for each in its)
        (bag / manifest).write_text("".join(digests))

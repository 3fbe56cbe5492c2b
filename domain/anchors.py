"""Anchors: the facts that they hold, the texts that are hashed and signed, Merkle trees, and the proof of a leaf.

A fact is a row of an object's logs: what it tells, no later row changes. A later state of the logs may have more facts,
never fewer. So a fact has only columns that are final once they are written, and names them itself: a migration that
adds a column changes no fact. Texts are JSON without spaces, keys in order, in ASCII.

As in Certificate Transparency, a leaf is hashed behind a 0 byte, a node behind a 1 byte: RFC 6962, section 2.1. Trees
and statements have digests of one algorithm, which the statement names; the size of a digest says which it is.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from hashlib import sha256, sha512
from typing import Any

import orjson

from models.store.anchor import Block, Digest, Inclusion, Leaf, Statement

Row = Mapping[str, Any]
Rows = Mapping[str, Sequence[Row]]
_DIGEST_BYTES = 16
_COMPLETE = "completed"  # not `State`, which takes 0.3 s to import: processes that read leaves import this module

Columns = tuple[tuple[str, bool], ...]


def _columns(*names: str) -> Columns:
    """Return the names of columns, each with whether it is a time."""
    return tuple((name, name == "at" or name.endswith("_at")) for name in names)


_CAUSE = ("failed_task", "cause_code", "cause_error", "cause_sentence")
_RECEIPT = _columns("receipt_id", "received_at", "completed_at", "size_bytes")
_DELIVERY = _columns("delivery_id", "receipt_id", "received_at", "outcome", "headers")
_RUN = _columns("flow_run_id", "attempt", "receipt_id", "trigger", "state", "started_at", "ended_at", *_CAUSE)
_MESSAGE = _columns("message_id", "receipt_id", "endpoint", "event", "planned_at")
_ATTEMPT = _columns("message_id", "attempt", "attempted_at", "status_code", "error")


def facts_of_receipt(rows: Rows) -> Iterator[str]:
    """Yield the facts of a receipt's history: of the rows of receipt, deliveries, runs and attempts, by table."""
    receipts = rows.get("receipt", ())
    if any(row.get("state") == _COMPLETE for row in receipts):
        yield from (_fact("receipt", row, _RECEIPT) for row in receipts)
        yield from (_fact("delivery", row, _DELIVERY) for row in rows.get("delivery", ()))
    yield from (_fact("run", row, _RUN) for row in rows.get("run", ()) if row.get("ended_at") is not None)
    yield from (_fact("message", row, _MESSAGE) for row in rows.get("notification", ()))
    yield from (_fact("attempt", row, _ATTEMPT) for row in rows.get("notification_attempt", ()))


def fact_of_judgement(path: str, text: bytes) -> str:
    """Return the fact that a judgement lies at a path of an object."""
    return _digest(["judgement", path, sha256(text).hexdigest()])


def fact_of_delivery(receipt_id: str, version: int) -> str:
    """Return the fact that a delivery said nothing new to a version."""
    return _digest(["repeats", receipt_id, version])


def fact_of_content(receipt_id: str, content_root: str) -> str:
    """Return the fact that a delivery has a content root. The inventory proves that of a version."""
    return _digest(["content", receipt_id, content_root])


def fact_of_file(key: str) -> str:
    """Return the fact that a file lies beside the archives. Its name says what it holds."""
    return _digest(["file", key])


def _fact(kind: str, row: Row, columns: Columns) -> str:
    get = row.get
    return _digest([kind, *[_moment(get(name)) if is_moment else get(name) for name, is_moment in columns]])


def _moment(text: Any) -> Any:
    """Return a time in one form: histories and discrepancies write the same time differently.

    A forged text is no time, and another fact.
    """
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo is UTC else found.astimezone(UTC)).isoformat()
    except (TypeError, ValueError):
        return text


def _digest(fact: Sequence[Any]) -> str:
    return sha256(orjson.dumps(fact, option=orjson.OPT_SORT_KEYS)).digest()[:_DIGEST_BYTES].hex()


_HASHES = {Digest.SHA256: sha256, Digest.SHA512: sha512}
_BY_BYTES = {32: sha256, 64: sha512}
_ROOT = re.compile("([0-9a-f]{64}){1,2}")


def is_root(text: str) -> bool:
    """Return whether a text is a root in hex, of either algorithm."""
    return _ROOT.fullmatch(text) is not None


def digest_of_root(root: str) -> Digest:
    """Return the algorithm that made a root in hex."""
    return Digest.SHA512 if len(root) == 128 else Digest.SHA256


def leaf_hash(text: bytes, digest: Digest = Digest.SHA256) -> bytes:
    return _HASHES[digest](b"\0" + text).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return _BY_BYTES[len(left)](b"\1" + left + right).digest()


def root_of(hashes: Iterable[bytes], digest: Digest = Digest.SHA256) -> bytes:
    """Return the root over the hashes of leaves, which `digest` made. Needs memory for one node a level only."""
    whole: list[tuple[int, bytes]] = []  # roots of full subtrees, each with its height, from the left
    for each in hashes:
        height, node = 0, each
        while whole and whole[-1][0] == height:
            node = node_hash(whole.pop()[1], node)
            height += 1
        whole.append((height, node))
    if not whole:
        return _HASHES[digest](b"").digest()
    node = whole.pop()[1]
    while whole:
        node = node_hash(whole.pop()[1], node)
    return node


def path_to(hashes: Sequence[bytes], index: int) -> list[bytes]:
    """Return the sibling hashes from leaf `index` up to the root.

    Raises:
        IndexError: there is no such leaf.
    """
    if not 0 <= index < len(hashes):
        raise IndexError(index)
    path: list[bytes] = []
    level = list(hashes)
    while len(level) > 1:
        if (sibling := index ^ 1) < len(level):
            path.append(level[sibling])
        paired = [node_hash(left, right) for left, right in zip(level[::2], level[1::2], strict=False)]
        level = [*paired, *level[2 * len(paired) :]]
        index //= 2
    return path


def root_by_path(leaf: bytes, index: int, leaves: int, path: Iterable[bytes]) -> bytes | None:
    """Return the root that a path leads to from a leaf's hash; None if the path does not fit a tree of `leaves`."""
    if not 0 <= index < leaves:
        return None
    node, left, rest = leaf, index, leaves
    siblings = iter(path)
    while rest > 1:
        if left ^ 1 < rest:
            sibling = next(siblings, None)
            if sibling is None:
                return None
            node = node_hash(sibling, node) if left & 1 else node_hash(node, sibling)
        left, rest = left // 2, (rest + 1) // 2
    return node if next(siblings, None) is None else None


_FORMAT = "cellar anchor 2"


def leaf_text(leaf: Leaf) -> bytes:
    """Return the text of a leaf, without a line break."""
    return _text_of(leaf)


def read_leaf(text: bytes) -> Leaf:
    """Read a leaf.

    Raises:
        ValueError: the text is not that of a leaf.
    """
    try:
        found = json.loads(text)
        leaf = Leaf(
            str(found["key"]),
            int(found["version"]),
            str(found["inventory_sha256"]),
            tuple(map(str, found["receipt_ids"])),
            tuple(map(str, found["facts"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("expected the text of a leaf") from error
    if leaf_text(leaf) != text:
        raise ValueError("expected the text of a leaf")
    return leaf


def index_text(blocks: Iterable[Block]) -> bytes:
    """Return the index of an anchor's leaves: a line for each block."""
    return b"".join(_text_of(each) + b"\n" for each in blocks)


def read_index(text: bytes) -> list[Block]:
    """Read the index of an anchor's leaves. It proves nothing: compare the roots with the statement.

    Raises:
        ValueError: the text is not that of an index.
    """
    try:
        blocks = [Block(**json.loads(line)) for line in text.splitlines()]
    except (TypeError, ValueError) as error:
        raise ValueError("expected the index of an anchor") from error
    if index_text(blocks) != text or not all(is_root(each.root) for each in blocks):
        raise ValueError("expected the index of an anchor")
    return blocks


def statement_text(statement: Statement) -> bytes:
    """Return the text of a statement. Its digest is the anchor's root, which people note."""
    return canonical(
        {
            "at": statement.at.astimezone(UTC).isoformat(),
            "before": statement.before,
            "digest": statement.digest,
            "format": _FORMAT,
            "key": statement.key,
            "leaves": statement.leaves,
            "number": statement.number,
            "root": statement.root,
        }
    )


def read_statement(text: bytes) -> Statement:
    """Read a statement.

    Raises:
        ValueError: the text is not that of a statement.
    """
    try:
        found = json.loads(text)
        before = found["before"]
        statement = Statement(
            int(found["number"]),
            datetime.fromisoformat(found["at"]),
            int(found["leaves"]),
            str(found["root"]),
            None if before is None else str(before),
            str(found["key"]),
            Digest(found["digest"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError("expected the statement of an anchor") from error
    if statement_text(statement) != text:
        raise ValueError("expected the statement of an anchor")
    return statement


def anchor_root(statement: Statement) -> str:
    """Return the root of an anchor in hex: the digest of its statement, and through it of all anchors before."""
    return root_of_text(statement_text(statement), statement.digest)


def root_of_text(text: bytes, digest: Digest) -> str:
    """Return the root that the text of a statement has by an algorithm, in hex."""
    return _HASHES[digest](text).hexdigest()


def _text_of(named: Leaf | Block) -> bytes:
    return canonical({each.name: getattr(named, each.name) for each in fields(named)})


def canonical(document: object) -> bytes:
    """Return JSON in the one form that is hashed and signed."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def is_included(inclusion: Inclusion) -> bool:
    """Return whether the path of a leaf leads to the root of its statement."""
    path, statement = map(bytes.fromhex, inclusion.path), inclusion.statement
    leaf = leaf_hash(leaf_text(inclusion.leaf), statement.digest)
    root = root_by_path(leaf, inclusion.index, statement.leaves, path)
    return root is not None and root.hex() == statement.root

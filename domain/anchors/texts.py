"""The texts of leaves and statements, which are hashed and signed: JSON without spaces, keys in order, in ASCII."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from models.store.anchor import Block, Leaf, Statement

_FORMAT = "cellar anchor 1"


def leaf_text(leaf: Leaf) -> bytes:
    """Return the text of a leaf, without a line break."""
    return _canonical(
        {
            "facts": leaf.facts,
            "inventory_sha256": leaf.inventory_sha256,
            "key": leaf.key,
            "receipt_ids": leaf.receipt_ids,
            "version": leaf.version,
        }
    )


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
    return b"".join(
        _canonical(
            {
                "first": each.first,
                "leaves": each.leaves,
                "offset": each.offset,
                "root": each.root,
                "size_bytes": each.size_bytes,
            }
        )
        + b"\n"
        for each in blocks
    )


def read_index(text: bytes) -> list[Block]:
    """Read the index of an anchor's leaves. It proves nothing: compare the roots with the statement.

    Raises:
        ValueError: the text is not that of an index.
    """
    try:
        blocks = [Block(**json.loads(line)) for line in text.splitlines()]
    except (TypeError, ValueError) as error:
        raise ValueError("expected the index of an anchor") from error
    if index_text(blocks) != text:
        raise ValueError("expected the index of an anchor")
    return blocks


def statement_text(statement: Statement) -> bytes:
    """Return the text of a statement. Its SHA-256 is the anchor's root, which people note."""
    return _canonical(
        {
            "at": statement.at.astimezone(UTC).isoformat(),
            "before": statement.before,
            "format": _FORMAT,
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
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("expected the statement of an anchor") from error
    if statement_text(statement) != text:
        raise ValueError("expected the statement of an anchor")
    return statement


def anchor_root(statement: Statement) -> str:
    """Return the root of an anchor in hex: the digest of its statement, and through it of all anchors before."""
    return hashlib.sha256(statement_text(statement)).hexdigest()


def _canonical(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()

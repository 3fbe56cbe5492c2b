"""Merkle trees over texts, as in Certificate Transparency: a leaf is hashed behind a 0 byte, a node behind a 1 byte.

Source: RFC 6962, section 2.1.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256

_EMPTY = sha256(b"").digest()


def leaf_hash(text: bytes) -> bytes:
    return sha256(b"\0" + text).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


def root_of(hashes: Iterable[bytes]) -> bytes:
    """Return the root over the hashes of leaves, of 32 bytes each. Needs memory for one node a level only."""
    whole: list[tuple[int, bytes]] = []  # roots of full subtrees, each with its height, from the left
    for each in hashes:
        height, node = 0, each
        while whole and whole[-1][0] == height:
            node = node_hash(whole.pop()[1], node)
            height += 1
        whole.append((height, node))
    if not whole:
        return _EMPTY
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

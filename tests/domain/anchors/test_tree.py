"""Merkle trees have the roots of RFC 6962, and prove each leaf and nothing else."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.anchors import leaf_hash, path_to, root_by_path, root_of

LEAVES = st.lists(st.binary(max_size=8), min_size=1, max_size=70)


def reference_root(texts: list[bytes]) -> bytes:
    """Follow the definition of RFC 6962, section 2.1: split at the largest power of two below the size."""
    if len(texts) == 1:
        return sha256(b"\0" + texts[0]).digest()
    split = 1 << (len(texts) - 1).bit_length() - 1
    return sha256(b"\1" + reference_root(texts[:split]) + reference_root(texts[split:])).digest()


def test_empty_tree_has_the_digest_of_nothing() -> None:
    assert root_of([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@given(LEAVES)
def test_root_is_that_of_the_definition(texts: list[bytes]) -> None:
    assert root_of(map(leaf_hash, texts)) == reference_root(texts)


@given(LEAVES, st.data())
def test_path_of_each_leaf_leads_to_the_root(texts: list[bytes], data: st.DataObject) -> None:
    hashes = [leaf_hash(text) for text in texts]
    index = data.draw(st.integers(0, len(texts) - 1))

    assert root_by_path(hashes[index], index, len(texts), path_to(hashes, index)) == root_of(hashes)


@given(LEAVES, st.data())
def test_altered_leaf_or_path_does_not_lead_to_the_root(texts: list[bytes], data: st.DataObject) -> None:
    hashes = [leaf_hash(text) for text in texts]
    index = data.draw(st.integers(0, len(texts) - 1))
    path = path_to(hashes, index)
    root = root_of(hashes)

    assert root_by_path(leaf_hash(b"another leaf"), index, len(texts), path) != root
    assert root_by_path(hashes[index], index, len(texts), [*path, bytes(32)]) is None
    if path:
        cut = data.draw(st.integers(0, len(path) - 1))
        assert root_by_path(hashes[index], index, len(texts), path[:cut]) is None
        assert root_by_path(hashes[index], index, len(texts), [*path[:cut], bytes(32), *path[cut + 1 :]]) != root


def test_leaf_outside_the_tree_has_no_path() -> None:
    with pytest.raises(IndexError):
        path_to([leaf_hash(b"")], 1)
    assert root_by_path(leaf_hash(b""), 1, 1, []) is None

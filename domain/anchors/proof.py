"""Checks the proof that an anchor has a leaf."""

from domain.anchors.texts import leaf_text
from domain.anchors.tree import leaf_hash, root_by_path
from models.store.anchor import Inclusion


def is_included(inclusion: Inclusion) -> bool:
    """Return whether the path of a leaf leads to the root of its statement."""
    path = map(bytes.fromhex, inclusion.path)
    root = root_by_path(leaf_hash(leaf_text(inclusion.leaf)), inclusion.index, inclusion.statement.leaves, path)
    return root is not None and root.hex() == inclusion.statement.root

"""Proves that an anchor has an archive as it is now."""

import hashlib

from adapters.anchors import anchors
from adapters.files.store import store
from adapters.store import ocfl
from models.store.anchor import AnchorProof


def proof_of(reference: str) -> AnchorProof | None:
    """Return the proof by the newest anchor that has a process's object with its present versions; None without one.

    Deliveries that said nothing new, and runs, may be newer than the anchor.

    Raises:
        Conflict: an anchor is damaged.
        Transient: the store does not answer.
    """
    key = ocfl.object_key(reference)
    inventory = store().found_bytes(f"{key}/{ocfl.INVENTORY}")
    proof = anchors.proof_of(store(), key) if inventory else None
    if not inventory or not proof or proof.inclusion.leaf.inventory_sha256 != hashlib.sha256(inventory).hexdigest():
        return None
    return proof

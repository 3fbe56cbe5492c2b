"""Holds an archive against the anchors of the store before it is handed out, and proves that an anchor has it.

Nobody names a root here. So what this installation knows outside the store stands in for it: the note of the last
anchor, the key that signs, and the witness.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import pairwise

from adapters.anchors import anchors, keys, last_anchor
from adapters.anchors.anchors import Anchor
from adapters.anchors.leaves import object_at
from adapters.anchors.witness import check_same, witness
from adapters.files.store import store
from adapters.store import ocfl
from models.errors import Conflict, Transient
from models.store.anchor import AnchorProof
from models.store.fixity import Fault, FixityFinding
from services.anchors.named import Named, faults, named

OnFinding = Callable[[FixityFinding], None]


def against_newest(reference: str) -> tuple[FixityFinding, ...]:
    """Return what speaks against a process's object by the newest anchor, and against that anchor; nothing where there
    is no anchor.

    Raises:
        Transient: the store does not answer.
    """
    findings: list[FixityFinding] = []
    try:
        found = list(anchors.anchors(store()))
        _check_newest(found[0] if found else None, findings.append)
        _check_chain(found, findings.append)
        findings += _broken(named([(store(), each) for each in found], ocfl.object_key(reference)))
    except Conflict as error:
        findings.append(_of_anchors("whole anchors", error))
    return tuple(dict.fromkeys(findings))


def wrong_anchors() -> Iterator[FixityFinding]:
    """Find what is wrong with the anchors of the store: the newest, their order, and the files of each.

    Raises:
        Transient: the store does not answer.
    """
    findings: list[FixityFinding] = []
    found = list[Anchor]()
    for number, names in reversed(anchors.listed(store()).items()):
        try:
            if anchor := anchors.anchor_at(store(), number, names):
                found.append(anchor)
                anchors.check_leaves(store(), anchor)
                if not anchors.is_signed(store(), anchor):
                    raise Conflict("its signature is missing or damaged; restore it from the witness")
        except Conflict as error:
            findings.append(_of_anchors("an anchor as it was made", error, anchors.statement_key(number)))
    _check_newest(found[0] if found else None, findings.append)
    _check_chain(found, findings.append)
    yield from {each.key: each for each in reversed(findings)}.values()


def _check_newest(newest: Anchor | None, on_finding: OnFinding) -> None:
    """Check that the newest anchor of the store is the newest that this installation has made."""
    try:
        last_anchor.check_noted()
    except Conflict as error:
        on_finding(_of_anchors("the anchor that this machine made last", error))
    there = witness()
    if there:
        try:
            with suppress(Transient):
                check_same(there)
        except Conflict as error:
            on_finding(_of_anchors("the anchors of the witness", error))
    if newest and not last_anchor.is_noted(newest) and (ours := keys.known_public_key()):
        theirs = store().found_bytes(newest.key("pem"))
        if theirs != ours or not anchors.is_signed(store(), newest):
            expected = "a signature by the key of this installation; if the key was changed, run `cellar anchor`"
            on_finding(FixityFinding(newest.key("signature"), Fault.DAMAGED, expected, "another signature"))


def _check_chain(found: Sequence[Anchor], on_finding: OnFinding) -> None:
    """Check that each anchor names the anchor before it: only the newest anchor is noted elsewhere."""
    for anchor, before in pairwise([*found, None]):
        if anchor and anchor.statement.before != (before.root if before else None):
            key = anchors.statement_key(anchor.statement.number - 1)
            on_finding(FixityFinding(key, Fault.DAMAGED, f"the root {anchor.statement.before}", "another or none"))


def _broken(name: Named) -> list[FixityFinding]:
    """Return how an object breaks its leaves, checked again if it does, since a writer may have been at work."""
    if not name.leaves or not faults(name, object_at(store(), name.key))[1]:
        return []
    return faults(name, object_at(store(), name.key))[1]


def _of_anchors(expected: str, error: Conflict, key: str = anchors.FOLDER) -> FixityFinding:
    return FixityFinding(key, Fault.DAMAGED, expected, str(error))


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

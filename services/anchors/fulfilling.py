"""Checks whether an object of the store, or a file beside the archives, fulfils its leaves."""

import hashlib
from collections.abc import Iterator

from adapters.anchors.leaves import OF_NO_ARCHIVE, Found, leaf_of, leaves_beside
from adapters.files.store import store
from adapters.store.objects.deliveries import delivery_path
from adapters.store.ocfl import INVENTORY, LOGS
from models.errors import Conflict, Unreadable
from models.store.anchor import Leaf
from models.store.fixity import Fault, FixityFinding
from services.anchors.named import Named


def faults(name: Named, found: Found) -> tuple[bool, list[FixityFinding]]:
    """Return whether an object has versions after its last leaf, and how it breaks its leaves.

    Raises:
        Transient: the store does not answer.
    """
    try:
        leaf = _present(name, found)
    except Conflict as error:
        return False, [FixityFinding(name.key, Fault.DAMAGED, f"the state as in {_which(name)}", str(error))]
    except Unreadable as error:
        return False, [FixityFinding(error.key, Fault.UNREADABLE, "a readable file", error.reason)]
    if leaf is None:
        return False, [FixityFinding(name.key, Fault.MISSING, f"what {_which(name)} has", "nothing")]
    last = max(its.version for _, its in name.leaves)
    return leaf.version > last, [*_of_versions(name, leaf), *_of_receipts(name, leaf), *_of_facts(name, leaf)]


def _present(name: Named, found: Found) -> Leaf | None:
    """Return the leaf that an anchor would make now; None where there is nothing to make it of."""
    if name.leaves[0][1].version:
        return leaf_of(store(), found)
    if name.key == OF_NO_ARCHIVE:
        return next((leaf for leaf in leaves_beside(store()) if leaf.key == OF_NO_ARCHIVE), None)
    digest = store().digest_of(name.key)
    return Leaf(name.key, 0, digest, (), ()) if digest else None


def _of_versions(name: Named, now: Leaf) -> Iterator[FixityFinding]:
    for number, leaf in name.leaves:
        path = f"{name.key}/v{leaf.version}/{INVENTORY}" if leaf.version else name.key
        expected = f"{leaf.inventory_sha256}, as in anchor {number}"
        if leaf.version > now.version:
            found = f"version {now.version} as the last"
            yield FixityFinding(name.key, Fault.MISSING, f"version {leaf.version}, as in anchor {number}", found)
        elif leaf.version == now.version and now.inventory_sha256 != leaf.inventory_sha256:
            key = f"{name.key}/{INVENTORY}" if leaf.version else name.key
            yield FixityFinding(key, Fault.DAMAGED, expected, now.inventory_sha256)
        elif leaf.version:
            text = store().found_bytes(path)
            digest = None if text is None else hashlib.sha256(text).hexdigest()
            if digest != leaf.inventory_sha256:
                fault = Fault.DAMAGED if digest else Fault.MISSING
                yield FixityFinding(path, fault, expected, digest or "nothing")


def _of_receipts(name: Named, now: Leaf) -> Iterator[FixityFinding]:
    seen = set(now.receipt_ids)
    for number, leaf in name.leaves:
        for receipt_id in leaf.receipt_ids:
            if receipt_id not in seen:
                seen.add(receipt_id)
                key = f"{name.key}/{delivery_path(receipt_id)}"
                yield FixityFinding(key, Fault.MISSING, f"a receipt of anchor {number}", "nothing")


def _of_facts(name: Named, now: Leaf) -> Iterator[FixityFinding]:
    named = {fact for _, leaf in name.leaves for fact in leaf.facts}
    gone = named.difference(now.facts)
    if gone:
        expected = f"the {len(named)} entries of {_which(name)}: deliveries, runs, messages, discrepancies, judgements"
        key = f"{name.key}/{LOGS}" if name.leaves[0][1].version else name.key
        yield FixityFinding(key, Fault.DAMAGED, expected, f"{len(gone)} of them gone or altered")


def _which(name: Named) -> str:
    numbers = [str(number) for number, _ in name.leaves]
    return f"anchor {numbers[0]}" if len(numbers) == 1 else f"anchors {', '.join(numbers[:-1])} and {numbers[-1]}"

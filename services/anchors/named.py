"""Merges the leaves of several anchors by the objects that they name, and checks whether an object fulfils its leaves.

For the merge, a few leaves of each anchor are in memory.
"""

import hashlib
import heapq
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from adapters.anchors import anchors
from adapters.anchors.anchors import Anchor
from adapters.anchors.leaves import OF_NO_ARCHIVE, Found, leaf_of, leaves_beside
from adapters.files.spool import spooled, write_spooled
from adapters.files.storage import Storage
from adapters.files.store import store
from adapters.store.objects.deliveries import delivery_path
from adapters.store.ocfl import INVENTORY, LOGS
from domain.anchors.texts import leaf_text, read_leaf
from models.errors import Conflict, Unreadable
from models.store.anchor import Leaf
from models.store.fixity import Fault, FixityFinding

_AT_ONCE = 32  # anchors: each has a block of leaves in memory
_LINES_AT_ONCE = 1000
Source = tuple[Storage, Anchor]


@dataclass(frozen=True, slots=True)
class Named:
    """An object as anchors name it: its leaves by the numbers of the anchors, in their order."""

    key: str
    leaves: tuple[tuple[int, Leaf], ...]


@contextmanager
def named_objects(sources: Sequence[Source]) -> Iterator[Iterator[Named]]:
    """Provide the objects that anchors name, in order of their keys, until the end of the block.

    Raises:
        Conflict: the leaves of an anchor are damaged.
        Transient: a storage does not answer.
    """
    with ExitStack() as stack:
        streams = [_leaves(*each) for each in sources]
        while len(streams) > _AT_ONCE:
            streams = [*streams[_AT_ONCE:], stack.enter_context(_kept(streams[:_AT_ONCE]))]
        yield _grouped(_merged(streams))


def named(sources: Sequence[Source], key: str) -> Named:
    """Return one object as anchors name it. Raises as `named_objects`."""
    found = ((anchor.statement.number, anchors.leaf_in(storage, anchor, key)) for storage, anchor in sources)
    return Named(key, tuple(sorted(((number, leaf) for number, leaf in found if leaf), key=lambda each: each[0])))


def _leaves(storage: Storage, anchor: Anchor) -> Iterator[tuple[int, Leaf]]:
    return ((anchor.statement.number, leaf) for leaf in anchors.leaves_of(storage, anchor))


def _merged(streams: Sequence[Iterator[tuple[int, Leaf]]]) -> Iterator[tuple[int, Leaf]]:
    return heapq.merge(*streams, key=lambda each: (each[1].key, each[0]))


def _grouped(leaves: Iterator[tuple[int, Leaf]]) -> Iterator[Named]:
    for key, its in groupby(leaves, key=lambda each: each[1].key):
        yield Named(key, tuple(its))


@contextmanager
def _kept(streams: Sequence[Iterator[tuple[int, Leaf]]]) -> Iterator[Iterator[tuple[int, Leaf]]]:
    """Merge streams into a file, and provide it as one stream."""
    with spooled(store().spool_folder) as spool:
        lines: list[bytes] = []
        for number, leaf in _merged(streams):
            lines.append(b"%d %b\n" % (number, leaf_text(leaf)))
            if len(lines) == _LINES_AT_ONCE:
                write_spooled(spool, b"".join(lines))
                lines.clear()
        write_spooled(spool, b"".join(lines))
        yield _read(Path(spool.name))


def _read(path: Path) -> Iterator[tuple[int, Leaf]]:
    with path.open("rb") as lines:
        for line in lines:
            number, _, text = line.rstrip(b"\n").partition(b" ")
            yield int(number), read_leaf(text)


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

"""Merges the leaves of several anchors by the objects that they name, in memory for a few leaves of each anchor."""

import heapq
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from adapters.anchors import anchors
from adapters.anchors.anchors import Anchor
from adapters.files.spool import spooled, write_spooled
from adapters.files.storage import Storage
from adapters.files.store import store
from domain.anchors.texts import leaf_text, read_leaf
from models.store.anchor import Leaf

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

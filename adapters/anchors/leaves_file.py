"""The leaves of an anchor in a file: one text a line, in order of their keys, compressed in blocks.

A block is a gzip member of its own, so `zcat` reads the file, and a proof reads one block of it. A block has 4,096
leaves, a power of two: its root is a node of the anchor's tree, and nobody has to hold the leaves of a whole tree.
"""

import gzip
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from adapters.files.spool import spooled, write_spooled
from adapters.files.storage import Storage
from adapters.files.store import store
from adapters.platform.cancellation import checkpoint
from domain.anchors import digest_of_root, leaf_hash, path_to, read_leaf, root_of
from models.errors import Conflict
from models.store.anchor import Block, Digest, Leaf

_LEAVES_OF_A_BLOCK = 4096
_FASTEST = 1  # most of a text is digests, which no level compresses below their own bytes


@dataclass(frozen=True, slots=True)
class LeavesFile:
    """The leaves of an anchor, in a file on the local disk."""

    path: Path
    blocks: tuple[Block, ...]
    digest: Digest

    @property
    def leaves(self) -> int:
        return sum(each.leaves for each in self.blocks)

    @property
    def root(self) -> str:
        return tree_root(self.blocks, self.digest)


def tree_root(blocks: Iterable[Block], digest: Digest) -> str:
    """Return the root of the tree over all leaves of some blocks, in hex."""
    return root_of((bytes.fromhex(each.root) for each in blocks), digest).hex()


@contextmanager
def written(texts: Iterable[bytes], digest: Digest = Digest.SHA256) -> Iterator[LeavesFile]:
    """Write the texts of leaves, in order of their keys, into a file that stays until the end of the block.

    Raises:
        Transient: the disk does not take the file now.
    """
    with spooled(store().spool_folder) as spool:
        blocks: list[Block] = []
        lines, offset = iter(texts), 0
        while block := list(islice(lines, _LEAVES_OF_A_BLOCK)):
            checkpoint()
            data = gzip.compress(b"\n".join(block) + b"\n", _FASTEST, mtime=0)
            write_spooled(spool, data)
            root = root_of(leaf_hash(each, digest) for each in block).hex()
            blocks.append(Block(read_leaf(block[0]).key, len(block), offset, len(data), root))
            offset += len(data)
        yield LeavesFile(Path(spool.name), tuple(blocks), digest)


def found_leaf(
    storage: Storage, key: str, blocks: Sequence[Block], object_key: str
) -> tuple[Leaf, int, list[str]] | None:
    """Return an object's leaf with its index and its path to the root; None if the anchor has no such leaf.

    Raises:
        Conflict: the file is missing, or its leaves are not those of the blocks.
    """
    number = bisect_right(blocks, object_key, key=lambda block: block.first) - 1
    if number < 0:
        return None
    lines = texts_of(storage, key, blocks[number])
    for index, leaf in enumerate(map(read_leaf, lines)):
        if leaf.key == object_key:
            path = path_to(_hashes(lines, blocks[number]), index)
            path += path_to([bytes.fromhex(each.root) for each in blocks], number)
            return leaf, number * _LEAVES_OF_A_BLOCK + index, [each.hex() for each in path]
    return None


def texts_of(storage: Storage, key: str, block: Block) -> list[bytes]:
    """Return the texts of the leaves of a block, proved by its root.

    The file is opened for each block: leaves of many anchors are read side by side, and a bucket closes what rests.

    Raises:
        Conflict: the file is missing, or its leaves are not those of the block.
    """
    checkpoint()
    try:
        with storage.opened(key) as stream:
            stream.seek(block.offset)
            return _lines(stream.read(block.size_bytes), block, key)
    except FileNotFoundError as error:
        raise Conflict(f"the leaves {key} are missing; restore them from the witness") from error


def _lines(data: bytes, block: Block, key: str) -> list[bytes]:
    try:
        lines = gzip.decompress(data).splitlines()
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(key) from error
    if root_of(_hashes(lines, block)).hex() != block.root or read_leaf(lines[0]).key != block.first:
        raise _damaged(key)
    return lines


def _hashes(lines: Sequence[bytes], block: Block) -> list[bytes]:
    digest = digest_of_root(block.root)
    return [leaf_hash(each, digest) for each in lines]


def _damaged(key: str) -> Conflict:
    return Conflict(f"the leaves {key} are damaged; restore them from the witness")

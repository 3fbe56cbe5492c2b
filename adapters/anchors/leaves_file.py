"""The leaves of an anchor in a file: one text a line, in order of their keys, compressed in blocks.

A block is a gzip member of its own, so `zcat` reads the file, and a proof reads one block of it. A block has 4,096
leaves, a power of two: its root is a node of the anchor's tree, and nobody has to hold the leaves of a whole tree.

The hash of an erased leaf stands in the place of its text. Its block keeps its size, by a comment in the header of the
gzip member: whoever has read the index before still finds each block where it was.
"""

import gzip
import hashlib
import re
import struct
import zlib
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from adapters.files.spool import spooled, write_spooled
from adapters.files.storage import Storage
from adapters.files.store import store
from adapters.platform.cancellation import checkpoint
from adapters.store.lines import erased_digest, erased_text
from domain.anchors import digest_of_root, leaf_hash, path_to, read_leaf, root_of
from models.errors import Conflict, System, Transient
from models.store.anchor import Block, Digest, Leaf

_LEAVES_OF_A_BLOCK = 4096
_KEY = re.compile(rb'"key":"([^"]*)"')
_GZIP_HEADER = b"\x1f\x8b\x08\x10" + bytes(5) + b"\xff"
"""The header of a member with a comment after it: RFC 1952."""
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
    for number, lines in _blocks_about(storage, key, blocks, {object_key}):
        keys = list(map(_key_in, lines))
        if object_key in keys:
            index = keys.index(object_key)
            path = path_to(_hashes(lines, blocks[number]), index)
            path += path_to([bytes.fromhex(each.root) for each in blocks], number)
            return read_leaf(lines[index]), number * _LEAVES_OF_A_BLOCK + index, [each.hex() for each in path]
    return None


def leaves_of(storage: Storage, key: str, blocks: Iterable[Block]) -> Iterator[Leaf]:
    """Yield the leaves of blocks that are left. Raises as `found_leaf`."""
    for block in blocks:
        yield from (read_leaf(each) for each in _texts_of(storage, key, block) if not erased_digest(each))


def hashes_of(storage: Storage, key: str, blocks: Iterable[Block]) -> Iterator[tuple[str, bool]]:
    """Yield the hash of each leaf of the blocks, with whether the leaf is erased. Raises as `found_leaf`, and also if
    the index leads past a leaf.
    """
    last = ""
    for block in blocks:
        lines = _texts_of(storage, key, block)
        if block.first and block.first <= last:
            raise _damaged(key)
        last = max([last, block.first, *filter(None, map(_key_in, lines))])
        for line, its in zip(lines, _hashes(lines, block), strict=True):
            yield its.hex(), erased_digest(line) is not None


def hashes_about(
    storage: Storage, key: str, blocks: Sequence[Block], object_keys: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Yield the key of each of these objects that has a leaf, with the leaf's hash. Raises as `found_leaf`."""
    for number, lines in _blocks_about(storage, key, blocks, object_keys):
        for line, its in zip(lines, _hashes(lines, blocks[number]), strict=True):
            if (found := _key_in(line)) and found in object_keys:
                yield found, its.hex()


def erase(storage: Storage, key: str, blocks: Sequence[Block], object_keys: Collection[str]) -> list[Block] | None:
    """Replace the leaves of these objects by their hashes, durably. Return the blocks for the index, which names the
    first leaf that is left of each; None if nothing is to be replaced. Raises as `found_leaf`, and Transient if another
    erasure has just replaced leaves.
    """
    about = {number for number, _ in _blocks_about(storage, key, blocks, object_keys)}
    if not about:
        return None
    after, before = list(blocks), hashlib.sha256()
    with spooled(storage.spool_folder) as spool:
        for number, block in enumerate(blocks):
            data = _read(storage, key, block)
            before.update(data)
            if number in about:
                lines = _lines(data, block, key)
                pairs = zip(lines, _hashes(lines, block), strict=True)
                lines = [erased_text(its.hex()) if _key_in(line) in object_keys else line for line, its in pairs]
                data = _filled(b"\n".join(lines) + b"\n", block.size_bytes)
                after[number] = replace(block, first=next(filter(None, map(_key_in, lines)), ""))
            write_spooled(spool, data)
        if storage.digest_of(key) != before.hexdigest():
            raise changed(key)
        storage.overwrite(Path(spool.name), key)
    return after


def changed(key: str) -> Transient:
    return Transient("another erasure has just changed an anchor; try again", system=System.STORE, key=key)


def _blocks_about(
    storage: Storage, key: str, blocks: Sequence[Block], object_keys: Collection[str]
) -> Iterator[tuple[int, list[bytes]]]:
    """Yield the number and the texts of each block that has a leaf of one of these objects, or that the index says to
    begin with one: an erasure that was interrupted has replaced that leaf, and not the index.
    """
    numbers = [number for number, block in enumerate(blocks) if block.first]  # a block may have no leaf left
    places = {bisect_right(numbers, each, key=lambda number: blocks[number].first) - 1 for each in object_keys}
    for number in (numbers[place] for place in sorted(places) if place >= 0):
        lines = _texts_of(storage, key, blocks[number])
        if blocks[number].first in object_keys or any(_key_in(each) in object_keys for each in lines):
            yield number, lines


def _texts_of(storage: Storage, key: str, block: Block) -> list[bytes]:
    """Return the texts of the leaves of a block, or what stands in the place of erased leaves, proved by its root."""
    return _lines(_read(storage, key, block), block, key)


def _read(storage: Storage, key: str, block: Block) -> bytes:
    checkpoint()
    try:  # the file is opened for each block: many anchors are read side by side, and a bucket closes what rests
        with storage.opened(key) as stream:
            stream.seek(block.offset)
            return stream.read(block.size_bytes)
    except FileNotFoundError as error:
        raise Conflict(f"the leaves {key} are missing; restore them from the witness") from error


def _lines(data: bytes, block: Block, key: str) -> list[bytes]:
    try:
        lines = gzip.decompress(data).splitlines()
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(key) from error
    if root_of(_hashes(lines, block)).hex() != block.root:
        raise _damaged(key)
    first = next(filter(None, map(_key_in, lines)), "")
    is_behind = erased_digest(lines[0]) and (block.first < first or not first)  # the index, while leaves are erased
    if block.first != first and not is_behind:
        raise _damaged(key)
    return lines


def _filled(text: bytes, size_bytes: int) -> bytes:
    """Return a text as a gzip member of that size."""
    deflated = zlib.compress(text, 9, wbits=-zlib.MAX_WBITS)
    end = struct.pack("<II", zlib.crc32(text), len(text))
    filling = size_bytes - len(_GZIP_HEADER) - len(deflated) - len(end)
    if filling < 1:
        raise Conflict("an erased block of leaves is no smaller than it was")  # a hash is shorter than what it is of
    return _GZIP_HEADER + b" " * (filling - 1) + b"\0" + deflated + end


def _key_in(line: bytes) -> str | None:
    """Return the key in the text of a leaf; None for what stands in the place of an erased leaf."""
    found = _KEY.search(line)
    return found[1].decode() if found else None


def _hashes(lines: Sequence[bytes], block: Block) -> list[bytes]:
    digest = digest_of_root(block.root)
    erased = map(erased_digest, lines)
    pairs = zip(lines, erased, strict=True)
    return [bytes.fromhex(its) if its else leaf_hash(line, digest) for line, its in pairs]


def _damaged(key: str) -> Conflict:
    return Conflict(f"the leaves {key} are damaged; restore them from the witness")

"""Erases leaves of anchors: the hash of a leaf stays in its place, so the tree and every other proof stay true."""

from collections.abc import Collection, Iterator
from datetime import datetime
from itertools import takewhile

import structlog

from adapters.anchors import anchors, leaves_file
from adapters.anchors.anchors import Anchor
from adapters.anchors.witness import witness
from adapters.files.storage import Storage
from adapters.files.store import store
from adapters.store import ocfl
from domain.anchors import index_text
from models.errors import Conflict, Transient

log = structlog.get_logger()


def leaves_about(references: Collection[str], first: int = 1) -> dict[str, list[str]]:
    """Return the hashes of the leaves of processes in the anchors of the store, by reference, where there are any.
    `first`: the number of the first anchor that may have some.

    Raises:
        Conflict: an anchor is damaged.
    """
    keys, found = {ocfl.object_key(each): each for each in references}, dict[str, list[str]]()
    for anchor in _anchors(store(), first):
        blocks = anchors.blocks_of(store(), anchor)
        for key, its in leaves_file.hashes_about(store(), anchor.key("leaves.gz"), blocks, keys):
            found.setdefault(keys[key], []).append(its)
    return found


def erase_leaves(references: Collection[str], first: int = 1) -> datetime | None:
    """Replace the leaves of processes by their hashes, of which tombstones know, in the anchors of the store and of the
    witness from a number on. The witness keeps them where it is locked.

    Repeating it changes nothing. It writes whole files of leaves: erase many processes at once.

    Returns:
        Until when an Object Lock keeps earlier versions of the leaves in the store.

    Raises:
        Conflict: an anchor of the store is damaged.
        Transient: the store or the witness does not answer.
    """
    keys = {ocfl.object_key(each) for each in references}
    kept = [_erase(store(), anchor, keys) for anchor in _anchors(store(), first)]
    if there := witness():
        for anchor in _anchors(there, first):
            try:
                _erase(there, anchor, keys)
            except (Conflict, Transient) as error:
                number = anchor.statement.number
                log.warning("the witness keeps leaves of erased archives", anchor=number, why=str(error))
    return max(filter(None, kept), default=None)


def _anchors(storage: Storage, first: int) -> Iterator[Anchor]:
    return takewhile(lambda anchor: anchor.statement.number >= first, anchors.anchors(storage))


def _erase(storage: Storage, anchor: Anchor, object_keys: Collection[str]) -> datetime | None:
    blocks, key = anchors.blocks_of(storage, anchor), anchor.key("index")
    after = leaves_file.erase(storage, anchor.key("leaves.gz"), blocks, object_keys)
    if after is None:
        return None
    if not storage.replace_bytes(index_text(blocks), index_text(after), key):
        raise leaves_file.changed(key)
    kept = [storage.erase_earlier(anchor.key(name)) for name in ("leaves.gz", "index")]
    return max(filter(None, kept), default=None)

"""Lists the objects of the store, and draws a random share of them."""

import hashlib
from collections.abc import Iterable, Iterator
from itertools import groupby

from adapters.files.store import store
from adapters.store import ocfl
from models.errors import Refused
from models.store.fixity import EMPTY_FOLDER, StoredObject


def stored_objects() -> Iterator[StoredObject]:
    """Yield the objects of the store in the order of their keys. What lies outside objects comes as objects without a
    key.
    """
    strange: dict[str, str] = {}
    found = store().listed(ocfl.ROOT, strange)
    for key, files in groupby(found, lambda each: ocfl.object_around(each[0].rpartition("/")[0])):
        sizes = {path.removeprefix(f"{key}/"): size_bytes for path, size_bytes in files}
        its = [path for path in strange if key and path.startswith(f"{key}/")]
        yield StoredObject(key, sizes, {path.removeprefix(f"{key}/"): strange.pop(path) for path in its})
    if strange and strange != {ocfl.ROOT: EMPTY_FOLDER}:  # no archive was written yet
        yield StoredObject("", {}, strange)


def object_of(reference: str) -> StoredObject:
    """Return the object of a process; an object without files if the store has none."""
    return listed(ocfl.object_key(reference))


def listed(key: str) -> StoredObject:
    """Return the object at a key of the store."""
    strange: dict[str, str] = {}
    sizes = {path.removeprefix(f"{key}/"): size_bytes for path, size_bytes in store().listed(key, strange)}
    return StoredObject(key, sizes, {path.removeprefix(f"{key}/"): what for path, what in strange.items()})


def drawn(objects: Iterable[StoredObject], share: float, seed: int, after: str = "") -> Iterator[StoredObject]:
    """Draw a random share of the objects, at least one if any exist. Files outside objects are always included.

    The same seed draws the same objects again, of which those up to the key `after` are left out.

    Raises:
        Refused: the share is not above 0 and at most 1. A check that reads nothing must not call the store sound.
    """
    if not 0 < share <= 1:
        raise Refused("BAD_PARAMETER", "expected a share above 0 and at most 1", where="share")
    return (each for each in _drawn(objects, share, seed) if not each.key or each.key > after)


def _drawn(objects: Iterable[StoredObject], share: float, seed: int) -> Iterator[StoredObject]:
    lowest: tuple[float, StoredObject] | None = None
    is_any_drawn = False
    for each in objects:
        lot = _lot(each.key, seed)
        if not each.key:
            yield each
        elif lot < share:
            is_any_drawn = True
            yield each
        elif lowest is None or lot < lowest[0]:
            lowest = lot, each
    if lowest and not is_any_drawn:
        yield lowest[1]


def _lot(key: str, seed: int) -> float:
    """Return a pseudo-random number from 0 up to 1."""
    return int.from_bytes(hashlib.sha256(f"{seed} {key}".encode()).digest()[:8]) / 2**64

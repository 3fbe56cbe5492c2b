"""Objects of the store: lists them, draws a random share, and reads the files of each as few times as possible."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, groupby
from typing import Any

from adapters.files.store import store
from adapters.platform.cancellation import checkpoint
from adapters.store import ocfl
from adapters.store.lines import Erased
from adapters.store.objects import history
from adapters.store.objects.history import Rows
from adapters.store.tombstones import known_digest
from models.errors import Conflict, Refused, Unreadable
from models.runs.receipt import GIVEN_BY
from models.store.fixity import EMPTY_FOLDER, StoredObject
from models.store.inventory import Inventory

_SMALL_BYTES = 256 << 10
_MOST_KEPT_BYTES = 8 << 20


@dataclass
class Files:
    """The files of an object. Each is digested when it is first read, whoever reads it. Small files are kept.

    A file that was not listed is not opened: a link in its path could lead anywhere.
    """

    stored: StoredObject
    _digests: dict[str, str] = field(default_factory=dict)
    _kept: dict[str, bytes] = field(default_factory=dict)
    _kept_bytes: int = 0

    def chunks(self, key: str) -> Iterator[bytes]:
        """Yield the bytes under a key of the store. Raises as `Storage.opened`, also for a file that is not listed."""
        size_bytes = self._size_bytes(key)
        if size_bytes <= _SMALL_BYTES:
            yield self.small(key)
            return
        digest = hashlib.sha256()
        for chunk in store().chunks(key):
            checkpoint()
            digest.update(chunk)
            yield chunk
        self._digests[key] = digest.hexdigest()

    def small(self, key: str) -> bytes:
        """Return the bytes under a key, at once. Raises as `chunks`."""
        self._size_bytes(key)
        if key in self._kept:
            return self._kept[key]
        checkpoint()
        data = store().read_bytes(key)
        self._digests[key] = hashlib.sha256(data).hexdigest()
        if self._kept_bytes + len(data) <= _MOST_KEPT_BYTES:
            self._kept[key] = data
            self._kept_bytes += len(data)
        return data

    def found(self, path: str) -> bytes | None:
        """Return the bytes of a file by its path in the object, None if there is none. Raises `Unreadable`."""
        try:
            return self.small(f"{self.stored.key}/{path}")
        except FileNotFoundError:
            return None

    def digest(self, path: str) -> str | None:
        """Return the digest of a file by its path in the object, None if there is none. Raises `Unreadable`."""
        key = f"{self.stored.key}/{path}"
        if key not in self._digests:
            try:
                for _ in self.chunks(key):
                    pass
            except FileNotFoundError:
                return None
        return self._digests[key]

    def _size_bytes(self, key: str) -> int:
        size_bytes = self.stored.sizes.get(key[len(self.stored.key) + 1 :])
        if size_bytes is None:
            raise FileNotFoundError(f"nothing was listed under {key}")
        return size_bytes


@dataclass(frozen=True)
class Opened:
    """An object with its root inventory, and the text of that inventory."""

    stored: StoredObject
    inventory: Inventory
    text: bytes
    files: Files

    @cached_property
    def reference(self) -> str:
        return ocfl.reference_of(self.inventory)

    @cached_property
    def histories(self) -> Mapping[str, Rows]:
        """The rows of each history that can be read, by its path."""
        found = {}
        for path in self.stored.sizes:
            if history.is_history(path) and not path.endswith(history.PUT_ASIDE):
                with suppress(Conflict, Unreadable):
                    found[path] = self.history(path)
        return {path: rows for path, rows in found.items() if rows is not None}

    def history(self, path: str) -> Rows | None:
        """Return the rows of a history, None if it is gone. Raises as `history.kept_rows`."""
        text = self.files.found(path)
        return None if text is None else history.parsed(text, f"{self.stored.key}/{path}")

    @cached_property
    def owner(self) -> str:
        """The source of the process: the one to which a person gave it last, else that of its first version."""
        arrived = chain.from_iterable(map(history.deliveries, self.histories.values()))
        given = ((each["delivery_id"], each["source"]) for each in arrived if each["headers"].get(GIVEN_BY))
        return str(max(given, default=("", self.inventory.versions[0].source))[1])

    @cached_property
    def complete_receipts(self) -> Mapping[str, Mapping[str, Any]]:
        """The rows of the receipts that their histories call complete, by id."""
        rows = map(history.complete_receipt, self.histories.values())
        return {row["receipt_id"]: row for row in rows if row is not None}


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


def is_erased(key: str, erased: Erased) -> bool:
    """Return whether the archive of an object was erased for good, as far as its reference and its digest are known."""
    if not any(erased.archives.values()):
        return False
    with suppress(Conflict, Unreadable):
        if reference := ocfl.reference_at(key) or ((found := ocfl.inventory_at(key)) and ocfl.reference_of(found)):
            return erased.archives.get(known_digest(reference) or "", False)
    return False


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

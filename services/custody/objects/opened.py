"""An object whose inventory was read, and its files, each read as few times as possible."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from adapters.files.store import store
from adapters.platform.cancellation import checkpoint
from adapters.store import ocfl
from adapters.store.objects import history
from adapters.store.objects.history import Rows
from models.errors import Conflict, Unreadable
from models.store.fixity import StoredObject
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
    def complete_receipts(self) -> Mapping[str, Mapping[str, Any]]:
        """The rows of the receipts that their histories call complete, by id."""
        rows = map(history.complete_receipt, self.histories.values())
        return {row["receipt_id"]: row for row in rows if row is not None}

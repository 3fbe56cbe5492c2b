"""An archived request in the store: its skeleton, its cuts and its files, in a version or, where it brought nothing
new, among what the object's logs keep of a delivery.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from adapters import ocfl, store
from adapters.settings import settings
from domain.cuts import read_cuts, rebuilt
from domain.json_text import parse
from domain.reading import read_archive
from models.archive import Archive
from models.content import ContentCut
from models.errors import Conflict, Refused
from models.inventory import Inventory

SKELETON = "skeleton.json"
CUTS = "cuts.json"
REQUEST = "request"
"""The raw body, kept only where it cannot be rebuilt."""
FILES = "files"
DELIVERIES = "receipts"
"""In the logs of an object: what rebuilds the requests that brought nothing new."""
_RECEIPT = "receipt.json"


@dataclass(frozen=True, slots=True)
class StoredRequest:
    """`version` is the number of the version that has the same content; `is_version`: this receipt has made it."""

    receipt_id: str
    version: int
    is_version: bool
    keys: Mapping[str, str]
    """Of skeleton, cuts, and the raw body where it is kept."""
    files: Mapping[str, str]
    """Keys of contents by their digests."""

    def skeleton(self) -> bytes:
        return self._read(SKELETON)

    def cuts(self) -> list[ContentCut]:
        return read_cuts(self._read(CUTS))

    def archive(self) -> Archive:
        """What the request says. Small: no file's content is read.

        Raises:
            Conflict: something of it is gone, or damaged.
            Transient: the store does not answer.
        """
        contents = [cut.content for cut in self.cuts()]
        return read_archive(parse(self.skeleton()), contents, ZoneInfo(settings().timezone))

    def body(self) -> Iterator[bytes]:
        """The request as it was sent, in pieces. Whoever needs to be sure digests them: that is the receipt id.

        Raises:
            Conflict: something of it is gone.
            Transient: the store does not answer.
        """
        try:
            if REQUEST in self.keys:
                yield from store.chunks(self.keys[REQUEST])
            else:
                yield from rebuilt(self.skeleton(), self.cuts(), lambda sha256: store.chunks(self.files[sha256]))
        except FileNotFoundError as error:
            raise self._gone() from error

    def _read(self, name: str) -> bytes:
        try:
            return store.read_bytes(self.keys[name])
        except FileNotFoundError as error:
            raise self._gone() from error

    def _gone(self) -> Conflict:
        return Conflict(f"something of receipt {self.receipt_id} is gone from the store; send the archive again")


def stored_request(reference: str, receipt_id: str) -> StoredRequest | None:
    """Return a receipt's request as it is archived; None where it is not.

    Raises:
        Conflict: the object is damaged.
        Transient: the store does not answer.
    """
    inventory = ocfl.inventory(reference)
    if inventory is None:
        return None
    receipt_ids = [version.message for version in inventory.versions]
    if receipt_id in receipt_ids:
        return _of_version(reference, inventory, receipt_ids.index(receipt_id) + 1)
    kept = store.found_bytes(_log_key(reference, receipt_id, _RECEIPT))
    if kept is None:
        return None
    receipt = json.loads(kept)
    keys = {name: _log_key(reference, receipt_id, name) for name in receipt["kept"]}
    return StoredRequest(receipt_id, receipt["version"], False, keys, _files(reference, inventory))


def stored_version(reference: str, number: int) -> StoredRequest:
    """Return the request that made a version of a process's archive.

    Raises:
        Refused: there is no such version.
        Conflict: the object is damaged.
        Transient: the store does not answer.
    """
    inventory = ocfl.inventory(reference)
    if inventory is None or not 1 <= number <= inventory.head:
        raise Refused("UNKNOWN_VERSION", f"this archive has no version {number}", where="version", status=404)
    return _of_version(reference, inventory, number)


def _of_version(reference: str, inventory: Inventory, number: int) -> StoredRequest:
    version, files = inventory.versions[number - 1], _files(reference, inventory)
    keys = {name: files[version.state[name]] for name in (SKELETON, CUTS, REQUEST) if name in version.state}
    return StoredRequest(version.message, number, True, keys, files)


def _files(reference: str, inventory: Inventory) -> dict[str, str]:
    return {sha256: ocfl.content_key(reference, inventory, sha256) for sha256 in inventory.manifest}


def keep_delivery(reference: str, receipt_id: str, version: int, content: Path) -> None:
    """Keep what rebuilds a request that brought nothing new. Done again, it changes nothing.

    Raises:
        Transient: the store does not take it now.
    """
    kept = [name for name in (SKELETON, CUTS, REQUEST) if (content / name).exists()]
    for name in kept:
        store.keep(content / name, _log_key(reference, receipt_id, name))
    receipt = {"receipt_id": receipt_id, "version": version, "kept": kept}
    store.overwrite_bytes(json.dumps(receipt).encode(), _log_key(reference, receipt_id, _RECEIPT))


def _log_key(reference: str, receipt_id: str, name: str) -> str:
    return ocfl.log_key(reference, f"{DELIVERIES}/{receipt_id}/{name}")

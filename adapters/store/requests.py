"""An archived request in the store: its skeleton, its cuts and its files, in a version or, where it brought nothing
new, among what the object's logs keep of a delivery.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter, ValidationError

from adapters.files.store import store
from adapters.platform.cancellation import checkpoint
from adapters.platform.settings import settings
from adapters.store import ocfl, seals
from adapters.store.object_files import CUTS, DELIVERIES, KEPT, REQUEST, SCANS, SKELETON, VERDICT
from domain.archive.reading import read_archive
from domain.archive.signed_document import with_verdict
from domain.body.cuts import Cut, read_cuts, rebuilt, with_scans
from domain.body.json_text import JsonFault, parse
from domain.secrets.sealing import content_cuts, unsealed
from models.archive.archive import Archive
from models.archive.content import ContentCut, SealedCut
from models.archive.verdict import UNREADABLE, Verdict
from models.archive.warning import ArchiveWarning, WarningCode
from models.errors import Conflict, Locked, Refused
from models.store.inventory import Inventory

_RECEIPT = "receipt.json"
_KEPT_OF_A_DELIVERY = (SKELETON, CUTS, REQUEST)
_OF_A_DELIVERY = re.compile(
    rf"{ocfl.LOGS}/{DELIVERIES}/([0-9a-f]{{64}})/({'|'.join(map(re.escape, (_RECEIPT, *_KEPT_OF_A_DELIVERY)))})"
)
_DAMAGE = (ValueError, KeyError, TypeError, IndexError)
"""What a flipped byte in cuts or skeleton comes out as."""
_VERDICT = TypeAdapter(Verdict)
_SECRETS_LOCKED = ArchiveWarning(
    WarningCode.SECRETS_LOCKED,
    "",
    "what is sealed is shown as null: the archive's key is missing; restore it, and re-run",
)


@dataclass(frozen=True, slots=True)
class StoredRequest:
    """`version` is the number of the version that has the same content; `is_version`: this receipt has made it."""

    reference: str
    receipt_id: str
    version: int
    is_version: bool
    keys: Mapping[str, str]
    """Of skeleton, cuts and scans; of verdict and raw body where there is one."""
    files: Mapping[str, str]
    """Keys of contents by their digests."""
    digests: Mapping[str, str]
    """SHA-256 by name of what is kept of a delivery. An inventory tells those of a version."""

    def skeleton(self) -> bytes:
        """Without card secrets: JSON with null in their places."""
        return self._read(SKELETON)

    def clear_skeleton(self) -> bytes:
        """With the card secrets. It must not be written anywhere.

        Raises:
            Locked: the archive's key cannot be had.
            Conflict: something is gone, or damaged.
            Transient: the store does not answer.
        """
        return unsealed(self.skeleton(), self.all_cuts(), seals.opener(self.reference))

    def cuts(self) -> list[ContentCut]:
        """Those of the files' contents."""
        cuts = content_cuts(self.all_cuts())
        if SCANS not in self.keys:
            return cuts
        return with_scans(cuts, store().found_bytes(self.keys[SCANS]) or b"")

    def all_cuts(self) -> list[Cut]:
        """Those of the sealed values too."""
        return read_cuts(self._read(CUTS))

    def archive(self) -> Archive:
        """What the request says. Small: no file's content is read.

        Raises:
            Locked: the archive's key cannot be had.
            Conflict: something of it is gone, or damaged.
            Transient: the store does not answer.
        """
        return self._archive_in(self.clear_skeleton)

    def locked_archive(self) -> Archive:
        """`archive` without its key: what is sealed reads as null, and a warning tells so."""
        archive = self._archive_in(self.skeleton)
        return replace(archive, warnings=(*archive.warnings, _SECRETS_LOCKED))

    def readable_archive(self) -> Archive:
        """`archive`, or what can be read of it where its key cannot be had."""
        try:
            return self.archive()
        except Locked:
            return self.locked_archive()

    def _archive_in(self, skeleton: Callable[[], bytes]) -> Archive:
        contents = [cut.content for cut in self.cuts()]
        zone, results = ZoneInfo(settings().timezone), settings().payment_terms.results
        try:
            archive = read_archive(parse(skeleton()), contents, zone, results)
        except (*_DAMAGE, JsonFault, Refused) as error:
            raise self._gone() from error
        verdict = self.verdict()
        return with_verdict(archive, verdict) if verdict else archive

    def verdict(self) -> Verdict | None:
        """The verdict on the signed document, None where there was none to judge."""
        if VERDICT not in self.keys:
            return None
        try:
            return _VERDICT.validate_json(self._read(VERDICT))
        except (ValidationError, Conflict):
            return UNREADABLE  # nobody can make it again as it was; `verify` tells that it is damaged

    def body(self) -> Iterator[bytes]:
        """The request as it was sent, in pieces. Whoever needs to be sure digests them: that is the receipt id.

        Raises:
            Locked: the archive's key cannot be had.
            Conflict: something of it is gone.
            Transient: the store does not answer.
        """
        try:
            if REQUEST in self.keys:
                yield from seals.opened_chunks(self.reference, self.receipt_id, store().chunks(self.keys[REQUEST]))
            else:
                if any(isinstance(cut, SealedCut) for cut in self.all_cuts()):
                    seals.check_key(self.reference)  # now, and not behind the files
                yield from self._pieces(seals.opener(self.reference))
        except (FileNotFoundError, *_DAMAGE) as error:
            raise self._gone() from error

    def size_bytes(self) -> int:
        """Of the request; no key is needed for that.

        Raises:
            Conflict: something of it is gone, or damaged.
            Transient: the store does not answer.
        """
        if REQUEST in self.keys:
            return seals.clear_size_bytes(store().size(self.keys[REQUEST]) or 0)
        try:
            return sum(len(chunk) for chunk in self._pieces(seals.stand_in))
        except FileNotFoundError as error:
            raise self._gone() from error

    def is_whole(self) -> bool:
        """Whether the store gives back the request, byte for byte.

        Raises:
            Locked: the archive's key cannot be had, so nobody can tell.
            Transient: the store does not answer.
        """
        if any(store().digest_of(self.keys[name]) != sha256 for name, sha256 in self.digests.items()):
            return False
        digest = hashlib.sha256()
        try:
            for chunk in self.body():
                checkpoint()
                digest.update(chunk)
        except Locked:
            raise
        except Conflict:
            return False
        return digest.hexdigest() == self.receipt_id

    def _pieces(self, opener: Callable[[bytes], bytes]) -> Iterator[bytes]:
        return rebuilt(self.skeleton(), self.all_cuts(), lambda sha256: store().chunks(self.files[sha256]), opener)

    def _read(self, name: str) -> bytes:
        try:
            return store().read_bytes(self.keys[name])
        except FileNotFoundError as error:
            raise self._gone() from error

    def _gone(self) -> Conflict:
        return Conflict(f"something of receipt {self.receipt_id} is gone or damaged; send the archive again")


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
    kept = store().found_bytes(_log_key(reference, receipt_id, _RECEIPT))
    if kept is None:
        return None
    try:
        receipt = json.loads(kept)
        digests = receipt["kept"]
        if kept != _delivery_text(receipt_id, receipt["version"], digests):
            raise ValueError("not what was written")
        keys = {name: _log_key(reference, receipt_id, name) for name in digests}
        version = _of_version(reference, inventory, receipt["version"])
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise Conflict(f"what is kept of receipt {receipt_id} is damaged; send the archive again") from error
    keys |= {name: key for name, key in version.keys.items() if name in (SCANS, VERDICT)}
    return StoredRequest(reference, receipt_id, version.version, False, keys, version.files, digests)


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
    if not 1 <= number <= inventory.head:
        raise ValueError("no version has that number")
    version, files = inventory.versions[number - 1], _files(reference, inventory)
    keys = {name: files[version.state[name]] for name in KEPT if name in version.state}
    return StoredRequest(reference, version.message, number, True, keys, files, {})


def _files(reference: str, inventory: Inventory) -> dict[str, str]:
    return {sha256: ocfl.content_key(reference, inventory, sha256) for sha256 in inventory.manifest}


def delivery_of(path: str) -> str | None:
    """The receipt of a delivery, by the path in its object of a file that is kept of it; None for any other file."""
    found = _OF_A_DELIVERY.fullmatch(path)
    return found[1] if found else None


def delivered(paths: Iterable[str]) -> list[str]:
    """The receipts of which an object's logs keep what rebuilds their requests, by the paths in the object."""
    return sorted({receipt_id for path in paths if (receipt_id := delivery_of(path))})


def delivery_path(receipt_id: str) -> str:
    """Where in its object it lies that a delivery is kept."""
    return f"{ocfl.LOGS}/{DELIVERIES}/{receipt_id}/{_RECEIPT}"


def keep_delivery(reference: str, receipt_id: str, version: int, content: Path) -> None:
    """Keep what rebuilds a request that brought nothing new. Done again, it changes nothing.

    Raises:
        Transient: the store does not take it now.
    """
    kept = {name: _digest(content / name) for name in (SKELETON, CUTS, REQUEST) if (content / name).exists()}
    for name in kept:
        store().overwrite(content / name, _log_key(reference, receipt_id, name))
    text = _delivery_text(receipt_id, version, kept)
    store().overwrite_bytes(text, _log_key(reference, receipt_id, _RECEIPT))


def _delivery_text(receipt_id: str, version: int, kept: Mapping[str, str]) -> bytes:
    """Return the record of a delivery, which ends with the digest of the rest of itself."""
    receipt = {"receipt_id": receipt_id, "version": version, "kept": kept}
    digest = hashlib.sha256(json.dumps(receipt).encode()).hexdigest()
    return json.dumps(receipt | {"sha256": digest}).encode()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _log_key(reference: str, receipt_id: str, name: str) -> str:
    return ocfl.log_key(reference, f"{DELIVERIES}/{receipt_id}/{name}")

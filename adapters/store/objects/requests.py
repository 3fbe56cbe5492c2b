"""Reads archived requests: skeleton, cuts and files, in a version or, if they say nothing new, in the object's logs."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property, partial
from typing import Any
from zoneinfo import ZoneInfo

from adapters.files.store import store
from adapters.platform.cancellation import checkpoint
from adapters.store import ocfl, seals, sources
from adapters.store.objects.deliveries import damaged_delivery, kept_delivery, kept_key
from adapters.store.objects.judgements import kept_judgements, recorded_verdict
from adapters.store.objects.repeats import repeats
from adapters.store.ocfl import CUTS, KEPT, REQUEST, REVOCATION, SCANS, SKELETON, VERDICT
from domain.archive.reading import event_at_of, read_archive
from domain.archive.signed_document import with_verdict
from domain.body.cuts import Cut, read_cuts, rebuilt, with_scans
from domain.body.json_text import JsonFault, parse, parse_with_repeats
from domain.payments.terms import read_terms
from domain.secrets.sealing import content_cuts, content_root, unsealed
from models.archive.archive import Archive, ArchiveWarning, WarningCode
from models.archive.content import ContentCut, SealedCut
from models.archive.verdict import UNREADABLE, Judgement, Verdict
from models.errors import Conflict, Locked, Refused
from models.payments import PaymentTerms
from models.said import Sentence
from models.store.inventory import Inventory

_READ_AHEAD_BYTES = 4 << 20
_DAMAGE = (ValueError, KeyError, TypeError, IndexError)
"""The errors that a flipped byte in cuts or skeleton causes."""
Read = Callable[[str], Iterable[bytes]]
_SECRETS_LOCKED = ArchiveWarning(WarningCode.SECRETS_LOCKED, "")


@dataclass(frozen=True)
class StoredRequest:
    """An archived request. `version` numbers the version that says the same; `is_version`: the request made it."""

    reference: str
    receipt_id: str
    version: int
    is_version: bool
    keys: Mapping[str, str]
    """Keys by name: of skeleton, cuts and scans, and of verdict and raw body where they exist."""
    files: Mapping[str, str]
    """Keys of contents by their digests."""
    digests: Mapping[str, str]
    """SHA-256 by name of the files of a delivery. For a version it is empty, since the inventory has the digests."""
    version_receipt_id: str
    """The receipt that made the version."""
    source: str
    """The source that brought the version, on whose terms its times and amounts are read."""
    first_source: str
    """The source that brought the first version: the process is its own, unless a person gave it to another."""
    arrived_at: datetime
    """When the version arrived."""
    read: Read | None = field(default=None, repr=False, compare=False)
    """Returns the bytes under a key, in chunks; None for the store's."""
    read_on: Mapping[str, Any] | None = None
    """The terms on which it is read, as `stated_terms_of` returns them; None for the present terms of the source."""
    earlier: Callable[[], Iterable["StoredRequest"]] = field(default=tuple, repr=False, compare=False)
    """Returns the requests that made the versions before."""
    kept_root: str | None = None
    """The content root in the record of a delivery. For a version, the inventory names all that it follows from."""
    _parts: dict[str, bytes] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Skeleton, cuts, scans and verdict, as read at the first use. `replace` makes a request that reads again."""

    @property
    def payment_terms(self) -> PaymentTerms:
        """The terms on which the payments of the request are read."""
        if self.read_on is not None:
            return read_terms(sources.with_defaults(self.read_on))
        return sources.payment_terms_of(self.source)

    def skeleton(self) -> bytes:
        """Return the skeleton without card secrets: JSON with null in their places."""
        return self._read(SKELETON)

    def clear_skeleton(self) -> bytes:
        """Return the skeleton with the card secrets. It must not be written anywhere.

        Raises:
            Locked: the archive's key is not available.
            Conflict: part of the request is missing or damaged.
        """
        return unsealed(self.skeleton(), self.all_cuts(), self._openers[0])

    def cuts(self) -> list[ContentCut]:
        """Return the cuts of the files' contents."""
        cuts = content_cuts(self.all_cuts())
        if SCANS not in self.keys:
            return cuts
        try:
            return with_scans(cuts, self._read(SCANS))
        except Conflict:
            return with_scans(cuts, b"")

    def all_cuts(self) -> list[Cut]:
        """Return the cuts of the files' contents and of the sealed values."""
        return read_cuts(self._read(CUTS))

    def content_root(self) -> str:
        """Return the content root. Needs no key.

        Raises:
            Conflict: skeleton or cuts are missing or damaged.
        """
        return content_root(self.skeleton(), self.all_cuts())

    def archive(self) -> Archive:
        """Return the archive that the request describes. Small: no file's content is read.

        Raises:
            Locked: the archive's key is not available.
            Conflict: part of the request is missing or damaged.
        """
        archive = self._archive_in(self.clear_skeleton)
        return replace(archive, warnings=(*archive.warnings, *repeats(self)))

    def locked_archive(self) -> Archive:
        """Return the archive without its key: sealed values read as null, and a warning says so."""
        archive = self._archive_in(self.skeleton)
        return replace(archive, warnings=(*archive.warnings, _SECRETS_LOCKED))

    def readable_archive(self) -> Archive:
        """Return the archive, or the locked archive if its key is not available."""
        try:
            return self.archive()
        except Locked:
            return self.locked_archive()

    def _archive_in(self, skeleton: Callable[[], bytes]) -> Archive:
        self._read_parts_ahead()
        contents = [cut.content for cut in self.cuts()]
        zone, results = self._zone(), self.payment_terms.results
        try:
            archive = read_archive(parse_with_repeats(skeleton()), contents, zone, results)
        except (*_DAMAGE, JsonFault, Refused) as error:
            raise self._gone(error) from error
        if (recorded := self._recorded()) is None:
            return archive
        return with_verdict(archive, *recorded, self.judgements)

    def event_at(self) -> datetime | None:
        """Return the time of the event in the request, as in the archive. Needs no key, and reads only the skeleton.

        Raises:
            Conflict: the skeleton is missing or damaged.
        """
        try:
            return event_at_of(parse(self.skeleton()), self._zone())
        except (*_DAMAGE, JsonFault) as error:
            raise self._gone(error) from error

    def verdict(self) -> Verdict | None:
        """Return the verdict on the signed document at its arrival; None where there was no document to judge."""
        recorded = self._recorded()
        return recorded and recorded[0]

    @cached_property
    def judgements(self) -> tuple[Judgement, ...]:
        """Return the later judgements on the signed document, oldest first."""
        return kept_judgements(self.reference, self.version_receipt_id)

    def _recorded(self) -> tuple[Verdict, str | None] | None:
        """Return the verdict at arrival with the digest of its trust roots, which earlier builds did not record."""
        if VERDICT not in self.keys:
            return None
        try:
            return recorded_verdict(self._read(VERDICT))
        except Conflict:
            return UNREADABLE, None  # it cannot be made again as it was; `verify` reports the damage

    def body(self) -> Iterator[bytes]:
        """Yield the request as it was sent, in pieces. To prove them, compare their digest with the receipt id.

        Raises:
            Locked: the archive's key is not available.
            Conflict: part of the request is missing or damaged.
        """
        try:
            if REQUEST in self.keys:
                yield from seals.opened_chunks(self.reference, self.receipt_id, self._chunks(self.keys[REQUEST]))
            else:
                cuts = self.all_cuts()
                opened, blinded = self._openers
                for cut in [each for each in cuts if isinstance(each, SealedCut)]:  # fail now, not after the files
                    if cut.blinded != blinded(opened(cut.ciphertext)):
                        raise self._gone()
                yield from self._pieces(cuts, opened)
        except (FileNotFoundError, *_DAMAGE) as error:
            raise self._gone(error) from error

    def size_bytes(self) -> int:
        """Return the size of the request. Needs no key.

        Raises:
            Conflict: part of the request is missing or damaged.
        """
        if REQUEST in self.keys:
            return seals.clear_size_bytes(store().size(self.keys[REQUEST]) or 0)
        try:
            return sum(len(chunk) for chunk in self._pieces(self.all_cuts(), seals.stand_in))
        except (FileNotFoundError, *_DAMAGE) as error:
            raise self._gone(error) from error

    def is_whole(self) -> bool:
        """Return whether the store gives back the request, byte for byte.

        Raises:
            Locked: the archive's key is not available, so the answer is unknown.
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

    @cached_property
    def _openers(self) -> tuple[Callable[[bytes], bytes], Callable[[bytes], str]]:
        return seals.opener(self.reference)

    def _zone(self) -> ZoneInfo:
        if self.read_on is not None:
            return ZoneInfo(sources.with_defaults(self.read_on)["timezone"])
        return ZoneInfo(sources.terms_of(self.source).timezone)

    def _pieces(self, cuts: Sequence[Cut], opener: Callable[[bytes], bytes]) -> Iterator[bytes]:
        ahead = {} if self.read else store().read_ahead(self._first_small_files(cuts))

        def read(sha256: str) -> Iterable[bytes]:
            key = self.files[sha256]
            return [ahead[key]] if key in ahead else self._chunks(key)

        return rebuilt(self.skeleton(), cuts, read, opener)

    def _first_small_files(self, cuts: Sequence[Cut]) -> list[str]:
        """Return the keys of the first files of at most `_READ_AHEAD_BYTES` in all."""
        keys, left_bytes = list[str](), _READ_AHEAD_BYTES
        for content in [cut.content for cut in content_cuts(cuts)]:
            key = self.files.get(content.sha256)
            if key is None or key in keys or content.size_bytes > left_bytes:
                continue
            left_bytes -= content.size_bytes
            keys.append(key)
        return keys

    def _read_parts_ahead(self) -> None:
        """Read what describes an archive, from a bucket at the same time. What is damaged fails where it is used."""

        def read(name: str) -> None:
            with suppress(Conflict):
                self._read(name)

        parts = [partial(read, name) for name in (SKELETON, CUTS, SCANS, VERDICT) if name in self.keys]
        if not self.read:
            store().do_all(*parts, *([lambda: self.judgements] if VERDICT in self.keys else []))

    def _chunks(self, key: str) -> Iterable[bytes]:
        return (self.read or store().chunks)(key)

    def _read(self, name: str) -> bytes:
        try:
            if name not in self._parts:
                self._parts[name] = b"".join(self._chunks(self.keys[name]))
        except FileNotFoundError as error:
            raise self._gone(error) from error
        return self._parts[name]

    def _gone(self, error: Exception | None = None) -> Conflict:
        if isinstance(error, FileNotFoundError):
            return Conflict(Sentence.part_lost(receipt=self.receipt_id), code="FILE_LOST")
        return Conflict(Sentence.part_damaged(receipt=self.receipt_id), code="BODY_DAMAGED")


def stored_request(reference: str, receipt_id: str) -> StoredRequest | None:
    """Return the archived request of a receipt; None where the receipt is not archived.

    Raises:
        Conflict: the object is damaged.
    """
    inventory = ocfl.inventory(reference)
    return request_in(inventory, receipt_id) if inventory else None


def request_in(inventory: Inventory, receipt_id: str, read: Read | None = None) -> StoredRequest | None:
    """Do as `stored_request`, with an inventory that was read before. `read` is that of the request."""
    reference = ocfl.reference_of(inventory)
    receipt_ids = [version.message for version in inventory.versions]
    if receipt_id in receipt_ids:
        return version_in(inventory, receipt_ids.index(receipt_id) + 1, read)
    kept = kept_delivery(reference, receipt_id)
    if kept is None:
        return None
    try:
        version = version_in(inventory, kept.version, read)
    except (ValueError, KeyError, TypeError) as error:
        raise damaged_delivery(receipt_id) from error
    keys = {name: kept_key(reference, receipt_id, name) for name in kept.digests}
    keys |= {name: key for name, key in version.keys.items() if name in (SCANS, VERDICT, REVOCATION)}
    return replace(
        version, receipt_id=receipt_id, is_version=False, keys=keys, digests=kept.digests, kept_root=kept.content_root
    )


def stored_version(reference: str, number: int) -> StoredRequest:
    """Return the request that made a version of a process's archive.

    Raises:
        Refused: the archive has no such version.
        Conflict: the object is damaged.
    """
    inventory = ocfl.inventory(reference)
    if inventory is None or not 1 <= number <= inventory.head:
        raise Refused("UNKNOWN_VERSION", f"this archive has no version {number}", where="version", status=404)
    return version_in(inventory, number)


def version_in(inventory: Inventory, number: int, read: Read | None = None) -> StoredRequest:
    """Return the request that made a version, from an inventory that was read before. `read` is that of the request.

    Raises:
        ValueError: no version has that number.
    """
    if not 1 <= number <= inventory.head:
        raise ValueError("no version has that number")
    reference = ocfl.reference_of(inventory)
    version, key = inventory.versions[number - 1], ocfl.object_key(reference)
    files = {sha256: f"{key}/{path}" for sha256, path in inventory.manifest.items()}
    keys = {name: files[version.state[name]] for name in KEPT if name in version.state}
    first_source = inventory.versions[0].source
    brought = version.message, version.source, first_source, version.created_at
    numbers = [each for each in range(1, number) if SKELETON in inventory.versions[each - 1].state]
    earlier = partial(map, lambda each: version_in(inventory, each, read), numbers)
    return StoredRequest(reference, version.message, number, True, keys, files, {}, *brought, read, earlier=earlier)

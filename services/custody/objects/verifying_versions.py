"""Verifies contents, versions and deliveries of an object: each content has its digest, and the contents rebuild the
request, whose digest is the receipt id.

Whoever rewrites contents, inventories and sidecars consistently still contradicts the receipt id, which Cellosign was
answered.
"""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime

from adapters.platform.cancellation import checkpoint
from adapters.store.objects.deliveries import delivered
from adapters.store.objects.requests import StoredRequest, request_in, version_in
from adapters.store.ocfl import CUTS, DELIVERIES, INVENTORY, LOGS, SKELETON
from models.errors import Conflict, Locked, Unreadable
from models.store.fixity import Fault, FixityFinding
from services.custody.objects.opened import Opened

MOST_BYTES = 64 << 20
"""The most bytes of a skeleton or of cuts, which are read at once. No request of ours has as many."""


def wrong_versions(opened: Opened) -> Iterator[FixityFinding]:
    """Find the versions that do not rebuild their request. Damaged contents explain it, and are named by themselves."""
    for number, version in enumerate(opened.inventory.versions, 1):
        request = version_in(opened.inventory, number, opened.files.chunks)
        if not _is_rebuilt(opened, request) and _are_whole(opened, version.state.values()):
            yield opened.stored.damaged(f"v{number}", f"receipt {version.message}", "files that do not rebuild it")


def wrong_times(opened: Opened) -> Iterator[FixityFinding]:
    """Find the versions with another time than the arrival of their receipt, in the receipt's history.

    Both are written from the same row, which no longer changes once a run has begun, so they are equal to the digit.
    """
    for number, version in enumerate(opened.inventory.versions, 1):
        receipt = opened.complete_receipts.get(version.message)
        if receipt and datetime.fromisoformat(receipt["received_at"]) != version.created_at:
            yield opened.stored.damaged(f"v{number}/{INVENTORY}", "the time of its receipt", "another time")


def wrong_contents(opened: Opened) -> Iterator[FixityFinding]:
    """Find the contents that are missing or have another digest. An unreadable content hides no other."""
    for sha256, path in opened.inventory.manifest.items():
        try:
            yield from _wrong_content(opened, path, sha256)
        except Unreadable as error:
            yield FixityFinding(error.key, Fault.UNREADABLE, "a readable file", error.reason)


def wrong_deliveries(opened: Opened) -> Iterator[FixityFinding]:
    """Find the deliveries that do not rebuild their request."""
    for receipt_id in delivered(opened.stored.sizes):
        path = f"{LOGS}/{DELIVERIES}/{receipt_id}"
        try:
            request = request_in(opened.inventory, receipt_id, opened.files.chunks)
        except Conflict:
            yield opened.stored.damaged(path, receipt_id, "files that do not rebuild it")
            continue
        if request is None:
            yield opened.stored.interrupted(path, "a whole delivery", "part of a delivery")
        elif not (_is_as_kept(opened, request) and _is_rebuilt(opened, request)):
            yield opened.stored.damaged(path, receipt_id, "files that do not rebuild it")


def _wrong_content(opened: Opened, path: str, sha256: str) -> Iterator[FixityFinding]:
    if path in opened.stored.strange:
        yield opened.stored.unreadable(path, opened.stored.strange[path])
        return
    found = opened.files.digest(path)
    if found is None:
        yield opened.stored.missing(path)
    elif found != sha256:
        yield opened.stored.damaged(path, sha256, f"{found}, {opened.stored.sizes.get(path)} bytes")


def _is_rebuilt(opened: Opened, request: StoredRequest) -> bool:
    """Return whether a request is rebuilt, byte for byte. True without the archive's key, which `wrong_key` reports,
    and with a file that cannot be read, which its own check reports.
    """
    start, digest = len(opened.stored.key) + 1, hashlib.sha256()
    whole = [request.keys[name][start:] for name in (SKELETON, CUTS) if name in request.keys]
    if any(opened.stored.sizes.get(path, 0) > MOST_BYTES for path in whole):
        return False
    try:
        for piece in request.body():
            checkpoint()
            digest.update(piece)
    except (Locked, Unreadable):
        return True
    except Conflict:
        return False
    return digest.hexdigest() == request.receipt_id


def _is_as_kept(opened: Opened, request: StoredRequest) -> bool:
    """Return whether the files of a delivery have the digests in its record."""
    start = len(opened.stored.key) + 1
    kept = ((request.keys[name][start:], sha256) for name, sha256 in request.digests.items())
    return all(opened.files.digest(path) == sha256 for path, sha256 in kept)


def _are_whole(opened: Opened, digests: Iterable[str]) -> bool:
    manifest = opened.inventory.manifest
    try:
        return all(opened.files.digest(manifest[sha256]) == sha256 for sha256 in digests)
    except Unreadable:
        return False

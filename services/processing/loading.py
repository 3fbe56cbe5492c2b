"""Loads archived receipts into the database."""

from datetime import datetime

from adapters.store.objects.requests import stored_version
from adapters.tables.archives import archives
from adapters.tables.runs import receipts
from domain.archive.versions import Age, supersedes
from models.runs.receipt import VersionRow
from services.receipts.stored_archive import StoredArchive, stored_archive


def load(archived: StoredArchive) -> int:
    """Record an archived receipt as a version, with its rows if it is current, or as a delivery. Idempotent.

    Returns:
        The number of rows of the version; 0 for a delivery, which has none of its own.
    """
    archive, request = archived.archive, archived.request
    received_at = receipts.get(request.receipt_id).received_at
    if not request.is_version:
        _load_delivery(archived, archive.event_at or received_at)
        return 0
    version = VersionRow(
        receipt_id=request.receipt_id,
        reference=archive.reference,
        version=request.version,
        event_at=archive.event_at,
        received_at=received_at,
        skeleton=archived.skeleton,
    )
    described = {"template_id": archive.template_id, "process_number": archive.process_number}
    archives.load(version, described, archived.rows, _replaces)
    return sum(len(rows) for rows in archived.rows.values())


def _load_delivery(archived: StoredArchive, made_at: datetime) -> None:
    """Load a delivery. It may make its version the newest. Its version may be missing, if both runs were killed."""
    reference, request, is_locked = archived.archive.reference, archived.request, archived.archive.is_locked
    version = stored_version(reference, request.version)
    if not archives.has_version(version.receipt_id):
        load(stored_archive(reference, version.receipt_id, even_locked=is_locked))
    if archives.repeat(reference, request.receipt_id, request.version, made_at, _replaces):
        load(stored_archive(reference, version.receipt_id, even_locked=is_locked))


def _replaces(candidate: VersionRow, current: VersionRow) -> bool:
    return supersedes(_age(candidate), _age(current))


def _age(version: VersionRow) -> Age:
    return Age(version.event_at, version.received_at, version.receipt_id)

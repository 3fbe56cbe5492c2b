"""Loads archived receipts into the database."""

from dataclasses import asdict
from typing import Any

from adapters.store.beside.sources import stated_terms_of
from adapters.store.objects.requests import stored_version
from adapters.tables.archives import archives
from adapters.tables.runs import receipts
from domain.archive.versions import age_of
from models.runs.receipt import VersionRow
from services.receipts import StoredArchive, stored_archive


def load(archived: StoredArchive) -> int:
    """Record an archived receipt as a version, with its rows if it is current, or as a delivery. Idempotent.

    Returns:
        The number of rows of the version; 0 for a delivery, which has none of its own.
    """
    archive, request = archived.archive, archived.request
    reference, number, receipt = archive.reference, request.version, receipts.get(request.receipt_id)
    is_foreign = receipt.source != request.owner
    age = age_of(archive.event_at, receipt.received_at, request.receipt_id, is_set_aside=is_foreign)
    if request.is_version:
        version = VersionRow(reference=reference, version=number, skeleton=archived.skeleton, **asdict(age))
        described: dict[str, Any] = {"template_id": archive.template_id, "process_number": archive.process_number}
        described["read_on"] = stated_terms_of(request.source)
        current_id = archives.load(version, described, archived.rows, request.owner)
    else:
        _load_missing_version(archived)
        current_id = archives.repeat(reference, age, number, request.owner)
    if current_id:
        load(stored_archive(reference, current_id, even_locked=archive.is_locked))
    return sum(len(rows) for rows in archived.rows.values()) if request.is_version else 0


def _load_missing_version(archived: StoredArchive) -> None:
    """Load the version that a delivery repeats, if the database lacks it: both runs may have been killed."""
    reference = archived.archive.reference
    version = stored_version(reference, archived.request.version)
    if not archives.has_version(version.receipt_id):
        load(stored_archive(reference, version.receipt_id, even_locked=archived.archive.is_locked))

"""What a task works with: an archive as read from the store."""

from dataclasses import dataclass

from adapters.platform.cancellation import checkpoint
from adapters.platform.settings import settings
from adapters.store.requests import StoredRequest, stored_request
from adapters.store.seals import fingerprint
from domain.archive.rows import Rows, rows_of
from domain.payments.reconciliation import reconcile
from models.archive.archive import Archive
from models.errors import Conflict, Locked
from models.payments.discrepancy import Discrepancy


@dataclass(frozen=True, slots=True)
class Material:
    """Everything that follows from a receipt's skeleton and its stored contents."""

    receipt_id: str
    request: StoredRequest
    skeleton: bytes
    archive: Archive
    discrepancies: list[Discrepancy]
    rows: Rows
    """Of every table: what the payload says."""


def read_material(reference: str, receipt_id: str, *, even_locked: bool = False) -> Material:
    """Read back what `persist-files` left and derive the rest. Small: no file's content is read.

    Args:
        even_locked: where the archive's key cannot be had, what is sealed reads as null, and nothing is claimed that
            could follow from that.

    Raises:
        Locked: the archive's key cannot be had, or that of the fingerprints.
        Conflict: it left nothing, or that is damaged.
        Transient: the store does not answer.
    """
    request = stored_request(reference, receipt_id)
    if request is None:
        raise Conflict(f"the store does not have receipt {receipt_id}; run the archive again")
    try:
        return _material(request, request.archive())
    except Locked:
        if not even_locked:
            raise
        return _material(request, request.locked_archive())


def _material(request: StoredRequest, archive: Archive) -> Material:
    checkpoint()
    terms = settings().payment_terms
    found = [] if archive.is_locked else reconcile(archive, terms)
    rows = rows_of(archive, terms, fingerprint)
    return Material(request.receipt_id, request, request.skeleton(), archive, found, rows)

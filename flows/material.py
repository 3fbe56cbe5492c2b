"""What a task works with: an archive as read from the store."""

from dataclasses import dataclass

from adapters.seals import fingerprint
from adapters.settings import settings
from adapters.stored import StoredRequest, stored_request
from domain.reconciliation import reconcile
from domain.rows import Rows, rows_of
from flows.threads import checkpoint
from models.archive import Archive
from models.discrepancy import Discrepancy
from models.errors import Conflict


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


def read_material(reference: str, receipt_id: str) -> Material:
    """Read back what `persist-files` left and derive the rest. Small: no file's content is read.

    Raises:
        Conflict: it left nothing, or that is damaged.
        Transient: the store does not answer.
    """
    request = stored_request(reference, receipt_id)
    if request is None:
        raise Conflict(f"the store does not have receipt {receipt_id}; run the archive again")
    skeleton, archive, terms = request.skeleton(), request.archive(), settings().payment_terms
    checkpoint()
    found = reconcile(archive, terms)
    return Material(receipt_id, request, skeleton, archive, found, rows_of(archive, terms, fingerprint))

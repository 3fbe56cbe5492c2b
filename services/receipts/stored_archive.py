"""Reads an archive back from the store, and derives its rows and discrepancies."""

from dataclasses import dataclass
from functools import cached_property

from adapters.platform.cancellation import checkpoint
from adapters.store.objects.requests import StoredRequest, stored_request
from adapters.store.seals import fingerprint
from domain.archive.rows import Rows, rows_of
from domain.payments.reconciliation import reconcile
from models.archive.archive import Archive
from models.errors import Conflict, Locked
from models.payments import Discrepancy


@dataclass(frozen=True)
class StoredArchive:
    """A receipt's archive. Its rows and discrepancies are derived once, on first use."""

    request: StoredRequest
    archive: Archive

    @property
    def receipt_id(self) -> str:
        return self.request.receipt_id

    @cached_property
    def skeleton(self) -> bytes:
        return self.request.skeleton()

    @cached_property
    def rows(self) -> Rows:
        """Rows of every table.

        Raises:
            Locked: the key of the fingerprints is not available.
        """
        checkpoint()
        return rows_of(self.archive, self.request.payment_terms, fingerprint)

    @cached_property
    def discrepancies(self) -> list[Discrepancy]:
        """Discrepancies within this archive alone; none are claimed for a locked archive."""
        checkpoint()
        return [] if self.archive.is_locked else reconcile(self.archive, self.request.payment_terms)


def stored_archive(reference: str, receipt_id: str, *, even_locked: bool = False) -> StoredArchive:
    """Return the archive of a receipt, as `persist-files` stored it. Small: no file's content is read.

    Args:
        even_locked: if a key is not available, sealed values read as null, in the rows too.

    Raises:
        Locked: the archive's key is not available.
        Conflict: `persist-files` has stored nothing, or its files are damaged.
        Transient: the store does not answer.
    """
    request = stored_request(reference, receipt_id)
    if request is None:
        raise Conflict(f"the store does not have receipt {receipt_id}; run the archive again", code="RECEIPT_LOST")
    return _even_locked(request) if even_locked else StoredArchive(request, request.archive())


def _even_locked(request: StoredRequest) -> StoredArchive:
    try:
        archived = StoredArchive(request, request.archive())
        _ = archived.rows  # the key of the fingerprints may be gone too
    except Locked:
        return StoredArchive(request, request.locked_archive())
    return archived

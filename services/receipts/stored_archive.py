"""An archive as read back from the store, with what follows from it."""

from dataclasses import dataclass
from functools import cached_property

from adapters.platform.cancellation import checkpoint
from adapters.platform.settings import settings
from adapters.store.requests import StoredRequest, stored_request
from adapters.store.seals import fingerprint
from domain.archive.rows import Rows, rows_of
from domain.payments.reconciliation import reconcile
from models.archive.archive import Archive
from models.errors import Conflict, Locked
from models.payments.discrepancy import Discrepancy


@dataclass(frozen=True)
class StoredArchive:
    """A receipt's archive. What follows from it is derived when it is asked for, and once."""

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
            Locked: the key of the fingerprints cannot be had.
        """
        checkpoint()
        return rows_of(self.archive, settings().payment_terms, fingerprint)

    @cached_property
    def discrepancies(self) -> list[Discrepancy]:
        """What does not add up in this archive alone. Of a locked archive nothing is claimed."""
        checkpoint()
        return [] if self.archive.is_locked else reconcile(self.archive, settings().payment_terms)


def stored_archive(reference: str, receipt_id: str, *, even_locked: bool = False) -> StoredArchive:
    """Read back what `persist-files` left of a receipt. Small: no file's content is read.

    Args:
        even_locked: where a key cannot be had, sealed values read as null, in the rows too.

    Raises:
        Locked: the archive's key cannot be had.
        Conflict: `persist-files` left nothing, or what it left is damaged.
        Transient: the store does not answer.
    """
    request = stored_request(reference, receipt_id)
    if request is None:
        raise Conflict(f"the store does not have receipt {receipt_id}; run the archive again")
    return _even_locked(request) if even_locked else StoredArchive(request, request.archive())


def _even_locked(request: StoredRequest) -> StoredArchive:
    try:
        archived = StoredArchive(request, request.archive())
        _ = archived.rows  # also the key of the fingerprints may be gone
    except Locked:
        return StoredArchive(request, request.locked_archive())
    return archived

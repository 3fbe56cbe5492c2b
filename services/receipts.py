"""Finds the receipt that a caller means, opens its raw body, reads its archive back, and removes it from the inbox."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from adapters.database.transactions import reading
from adapters.inbox import inbox
from adapters.platform.cancellation import checkpoint
from adapters.store.objects.requests import StoredRequest, stored_request
from adapters.store.seals import fingerprint
from adapters.tables.completeness import missing_processes
from adapters.tables.runs import receipts, refused
from domain.archive.rows import Rows, rows_of
from domain.completeness.missing import missing_text
from domain.payments.reconciliation import reconcile
from models.archive.archive import Archive
from models.discrepancies import Discrepancy
from models.errors import Conflict, Locked, Refused
from models.said import Sentence
from services.access.scope import erased


def latest_receipt_id(reference: str) -> str:
    """Return the receipt of a process that arrived last. Raises Refused if no archive of the process was received."""
    return _known(reference, receipts.newest_receipt_id(reference))


def current_receipt_id(reference: str) -> str:
    """Return the receipt of a process's current version; the latest receipt before there is a version.

    Raises Refused if no archive of the process was received.
    """
    return _known(reference, receipts.current_receipt_id(reference))


def receipt_of(reference: str, receipt_id: str | None) -> str:
    """Return `receipt_id`, checked to be a receipt of the process; without one, the current receipt.

    Raises Refused if the receipt is unknown or belongs to another process, or no archive of the process was received.
    """
    if receipt_id is None:
        return current_receipt_id(reference)
    receipt = receipts.find(receipt_id)
    if receipt is None or receipt.reference != reference:
        raise Refused("UNKNOWN_RECEIPT", Sentence.receipt_unknown())
    return receipt_id


def unknown_reference(reference: str) -> Refused:
    """Return the error for a process without an archive. It says if the archive was erased or the process is missing,
    and names the last delivery of the process that was refused.
    """
    if gone := erased(reference):
        return gone
    detail = "no archive of this process was received; `cellar list` shows the archives"
    delivery = refused.newest_of(reference)
    if delivery:
        place = f" at {delivery.where}" if delivery.where else ""
        after = "it is in quarantine"
        if delivery.released_at:
            after = "it is released and waits for its run"
        elif delivery.is_dismissed:
            after = "it is in quarantine, and a person has dismissed it"
        detail = (
            f"a delivery of this process was refused: {delivery.code}{place}: {delivery.detail}; {after}; "
            f"see `cellar quarantine show {delivery.receipt_id[:10]}`"
        )
    with reading() as session:
        found = missing_processes.open_of(session, reference)
    if found:
        missing = missing_text(found[0].why, found[0].since, found[0].deadline_at, datetime.now(UTC))
        detail = f"the process is missing: {missing}; see `cellar missing list`; {detail}"
    return Refused("UNKNOWN_REFERENCE", detail, where="reference", status=404)


def _known(reference: str, receipt_id: str | None) -> str:
    if receipt_id is None:
        raise unknown_reference(reference)
    return receipt_id


def leave_inbox(receipt_id: str) -> None:
    """Remove a completed receipt from the inbox. A delivery that is not yet registered stays, to be registered.

    Raises Transient if the database or the inbox's bucket does not answer.
    """
    leave_again(receipt_id, receipts.delivery_ids(receipt_id))


def leave_again(receipt_id: str, delivery_ids: Iterable[str]) -> None:
    """Remove registered deliveries of a receipt that had left the inbox before. It may have come thousands of times.

    Raises Transient if the inbox's bucket does not answer.
    """
    inbox.remove(delivery_ids, receipt_id)


_CHUNK_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class RawBody:
    """A body in pieces: from the inbox as it arrived, or rebuilt from the files of the store."""

    chunks: Iterator[bytes]
    is_from_inbox: bool


@contextmanager
def opened_raw_body(reference: str, receipt_id: str) -> Iterator[RawBody]:
    """Open the body as it was sent: from the inbox while it waits there, from the store afterwards.

    Raises Refused if neither inbox nor store has the body.
    """
    with ExitStack() as stack:
        try:
            body = stack.enter_context(inbox.opened_body(receipt_id))
        except FileNotFoundError:
            stored = stored_request(reference, receipt_id)
            if stored is None:
                raise Refused("BODY_MISSING", Sentence.body_missing(receipt=receipt_id)) from None
            yield RawBody(stored.body(), is_from_inbox=False)
        else:
            yield RawBody(iter(lambda: body.read(_CHUNK_BYTES), b""), is_from_inbox=True)


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
        """Rows of every table. Raises Locked if the key of the fingerprints is not available."""
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
    """
    request = stored_request(reference, receipt_id)
    if request is None:
        raise Conflict(Sentence.receipt_lost(receipt=receipt_id), code="RECEIPT_LOST")
    return _even_locked(request) if even_locked else StoredArchive(request, request.archive())


def _even_locked(request: StoredRequest) -> StoredArchive:
    try:
        archived = StoredArchive(request, request.archive())
        _ = archived.rows  # the key of the fingerprints may be gone too
    except Locked:
        return StoredArchive(request, request.locked_archive())
    return archived

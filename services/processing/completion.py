"""Completes an archive: the request is rebuilt and the rows are counted before the receipt leaves the inbox."""

from datetime import UTC, datetime

from adapters.store.objects import history
from adapters.tables.archives import archives
from adapters.tables.runs import receipts
from models.archive.archive import State
from models.errors import Conflict
from models.messages.event import Event
from models.said import Said, Sentence
from services.messages.events import announce, events_of
from services.payments import recorded
from services.processing.findings import PayloadFindings
from services.receipts import StoredArchive, leave_inbox


def complete(archived: StoredArchive, reconciled: PayloadFindings | None) -> list[Event]:
    """Read an archive back, announce it, and complete its receipt. Idempotent.

    Returns:
        The events: none if another version is current.

    Args:
        reconciled: the findings in the current version's payload, as just reconciled, to save finding them again.

    Raises:
        Conflict: store or database does not return what was written.
        Transient: store, database or the inbox's bucket does not answer.
    """
    reference, receipt_id, now = archived.archive.reference, archived.receipt_id, datetime.now(UTC)
    events = events_of(archived, now) if read_back(archived, reconciled) else []
    for each in events:
        announce(each)
    receipts.set_state(receipt_id, State.COMPLETED, now)
    history.keep_of_archived(reference, receipt_id)
    leave_inbox(receipt_id)
    return events


def read_back(archived: StoredArchive, reconciled: PayloadFindings | None) -> bool:
    """Check that store and database return what was written, and return whether the receipt is the current version.

    Raises as `complete` does.
    """
    if not archived.request.is_whole():  # byte for byte, since the body leaves the inbox
        raise _not_read_back(Sentence.body_differs(receipt=archived.receipt_id))
    if not archived.request.is_version:  # it has no rows of its own
        return False
    if archives.skeleton(archived.receipt_id) != archived.skeleton:
        raise _not_read_back(Sentence.skeleton_differs(receipt=archived.receipt_id))
    if archives.get(archived.archive.reference).current_receipt_id != archived.receipt_id:
        return False
    for table, found in archives.row_counts(archived.archive.reference, list(archived.rows)).items():
        expected = len(archived.rows[table])
        if found != expected:
            raise _not_read_back(Sentence.rows_differ(expected=expected, table=str(table.__tablename__), found=found))
    if reconciled is None:
        raise _not_read_back(Sentence.version_changed())
    # Discrepancies with other codes change independently of the payload.
    if not recorded.are_not_closed(archived.archive.reference, reconciled.codes, reconciled.found):
        raise _not_read_back(Sentence.discrepancies_differ(expected=len(reconciled.found)))
    return True


def _not_read_back(what: Said) -> Conflict:
    return Conflict(what, code="NOT_READ_BACK")

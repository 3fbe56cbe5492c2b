"""Receipts in the database that have failed for good, and which of these failures are events."""

from collections.abc import Iterator
from datetime import datetime

from sqlmodel import Session, col, exists, select

from adapters.database.transactions import reading
from models.archive.archive import ArchiveRow, State
from models.messages.event import EventRow, EventType
from models.runs.cause import Cause, FailedReceipt
from models.runs.receipt import ReceiptRow
from models.runs.run import RunRow


def of_receipt(receipt_id: str) -> FailedReceipt | None:
    """Return the failure of a receipt; None if it has not failed for good."""
    with reading() as session:
        receipt = session.get(ReceiptRow, receipt_id)
        return next(_failures(session, [receipt] if receipt else []), None)


def without_event(since: datetime, most: int) -> list[FailedReceipt]:
    """Return the failures of archives since a time that are no events yet, oldest first."""
    told = exists().where(
        col(EventRow.reference) == col(ArchiveRow.reference),
        col(EventRow.type) == EventType.ARCHIVE_FAILED,
        col(EventRow.at) == col(ArchiveRow.cause_since),
    )
    of_archive = (
        col(ReceiptRow.reference) == col(ArchiveRow.reference),
        col(ReceiptRow.cause_since) == col(ArchiveRow.cause_since),
    )
    failed = (ArchiveRow.state == State.FAILED, col(ArchiveRow.cause_since) > since, ~told)
    found = select(ReceiptRow).join(ArchiveRow, of_archive[0]).where(of_archive[1], *failed)
    with reading() as session:
        rows = session.exec(found.order_by(col(ReceiptRow.cause_since), col(ReceiptRow.receipt_id)).limit(most))
        return list(_failures(session, list(rows)))


def _failures(session: Session, receipts: list[ReceiptRow]) -> Iterator[FailedReceipt]:
    for each in receipts:
        if each.state != State.FAILED or each.cause_code is None or each.cause_since is None:
            continue
        its = select(RunRow.flow_run_id).where(RunRow.receipt_id == each.receipt_id)
        cause = Cause(each.cause_code, each.cause_task, each.cause_error or "", each.cause_sentence or "")
        yield FailedReceipt(
            each.reference,
            each.receipt_id,
            each.cause_since,
            cause,
            each.cause_attempt or 1,
            session.exec(its.order_by(col(RunRow.started_at).desc()).limit(1)).first(),
        )

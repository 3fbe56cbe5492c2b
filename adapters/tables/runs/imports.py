"""Registers, begins and ends the many receipts of an import, a page of them in a transaction.

On SQLite, nobody else writes during a transaction, and waiting is no queue: whoever waits tries again now and then. So
between two pages there is a pause as long as a page, in which new archives are registered.
"""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlmodel import Session, col, select, update

from adapters.database.transactions import pages, read_among, writing
from adapters.platform.cancellation import checkpoint
from adapters.tables.runs import waiting
from adapters.tables.runs.receipts import cause_columns, register_within, set_state_within
from adapters.tables.runs.runs import begin_within, columns_of_end, end_crashed_within
from models.archive.archive import State
from models.runs.receipt import Cause, Delivery, DeliveryRow, ReceiptRow, RunRow, RunState, Trigger

Item = TypeVar("Item")
_PAGE = 16
_LONGEST_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True)
class ImportAttempt:
    """An attempt of a flow run that imports. Its id and its number identify the rows of its runs."""

    flow_run_id: str
    attempt: int

    @property
    def holder(self) -> str:
        """The holder of the leases."""
        return f"{self.flow_run_id}:{self.attempt}"


@dataclass(frozen=True, slots=True)
class KnownReceipt:
    """A receipt that the database has. `delivery` is its delivery by the asking import, if any."""

    state: State
    delivery: Delivery | None


def known(receipt_ids: Collection[str], flow_run_id: str) -> dict[str, KnownReceipt]:
    """Return which receipts the database has, by id. One query per page of ids."""
    found = select(ReceiptRow, DeliveryRow).join(
        DeliveryRow,
        (col(DeliveryRow.receipt_id) == col(ReceiptRow.receipt_id)) & (col(DeliveryRow.flow_run_id) == flow_run_id),
        isouter=True,
    )
    receipts = {}
    for receipt, row in read_among(col(ReceiptRow.receipt_id), receipt_ids, found):
        kept = row and row.model_dump(exclude={"outcome", "flow_run_id"})
        its = Delivery(**kept, size_bytes=receipt.size_bytes) if kept else None
        receipts[receipt.receipt_id] = KnownReceipt(State(receipt.state), its)
    return receipts


def begin(deliveries: Iterable[Delivery], by: ImportAttempt, now: datetime, digests: Mapping[str, str]) -> None:
    """Register deliveries, and record that the import works on their receipts. Idempotent.

    `digests` are those of their references, as in `register`.
    """
    with writing() as session:
        end_crashed_within(session, by.flow_run_id, by.attempt, now)
    for page in _with_pauses(sorted(deliveries, key=lambda each: (each.reference, each.delivery_id))):
        with writing() as session:
            for delivery in page:
                register_within(session, delivery, by.flow_run_id, digest=digests.get(delivery.reference))
                begin_within(session, _run(delivery, by, now))


def complete(receipt_ids: Iterable[str], by: ImportAttempt, now: datetime) -> None:
    """Record that receipts are complete, and that the import's work on them has ended."""
    for page in _with_pauses(sorted(receipt_ids)):
        with writing() as session:
            _end(session, page, by, columns_of_end(RunState.COMPLETED, now, None))
            for receipt_id in page:
                set_state_within(session, receipt_id, State.COMPLETED, now)
            waiting.remove_within(session, page)  # a run of the webhook's may wait


def _with_pauses(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Yield pages of items, each for a transaction. Pause as long as each took, half a second at most.

    SQLite lets one transaction write at a time and no queue forms: without a pause, others seldom find a gap.
    """
    for page in pages(items, _PAGE):
        checkpoint()
        began_s = time.monotonic()
        yield page
        time.sleep(min(time.monotonic() - began_s, _LONGEST_PAUSE_S))


def wait(left: Mapping[str, Cause], by: ImportAttempt, now: datetime) -> None:
    """Record that receipts wait for the next attempt of the import, and why."""
    with writing() as session:
        for receipt_id, cause in sorted(left.items()):
            _end(session, [receipt_id], by, columns_of_end(RunState.AWAITING_RETRY, now, cause))
            set_state_within(session, receipt_id, State.PROCESSING, now, cause_columns(cause, by.attempt, now))


def give_up(left: Mapping[str, Cause | None], by: ImportAttempt, state: RunState, now: datetime) -> None:
    """Leave receipts to runs of their own: the next sweep of the inbox starts them.

    Args:
        left: the ids of the receipts, each with the cause of its failure, if it failed.
        state: how the import's work on them ended.
    """
    with writing() as session:
        for receipt_id in sorted(left):
            _end(session, [receipt_id], by, columns_of_end(state, now, left[receipt_id]))
            set_state_within(session, receipt_id, State.RECEIVED, now)
        for page in pages(sorted(left)):
            its = col(DeliveryRow.receipt_id).in_(page), col(DeliveryRow.flow_run_id) == by.flow_run_id
            session.execute(update(DeliveryRow).where(*its).values(flow_run_id=None))


def _run(delivery: Delivery, by: ImportAttempt, now: datetime) -> RunRow:
    return RunRow(
        flow_run_id=by.flow_run_id,
        attempt=by.attempt,
        reference=delivery.reference,
        receipt_id=delivery.receipt_id,
        trigger=Trigger.IMPORT,
        state=RunState.RUNNING,
        started_at=now,
    )


def _end(session: Session, receipt_ids: Sequence[str], by: ImportAttempt, values: Mapping[str, object]) -> None:
    mine = col(RunRow.flow_run_id) == by.flow_run_id, col(RunRow.attempt) == by.attempt, col(RunRow.ended_at).is_(None)
    for page in pages(receipt_ids):
        session.execute(update(RunRow).where(*mine, col(RunRow.receipt_id).in_(page)).values(**values))

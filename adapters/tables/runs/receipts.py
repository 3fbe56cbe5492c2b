"""Receipts and deliveries in the database, and their states."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy
from sqlmodel import Session, col, func, select, update

from adapters.database.transactions import (
    asking,
    change,
    insert_new,
    pages,
    read_all,
    read_among,
    read_first,
    read_row,
    reading,
    upsert,
    writing,
)
from adapters.search import entries
from adapters.tables import conditions
from adapters.tables.conditions import Found
from adapters.tables.erased import erased
from domain.runs import CANCELLED
from models.archive.archive import ArchiveRow, State
from models.columns import Moment
from models.errors import Refused
from models.runs.receipt import Cause, CauseColumns, Delivery, DeliveryRow, Outcome, ReceiptRow, RunRow, VersionRow
from models.store.condition import ConditionCode, ConditionRow, Subject

_ARRIVALS: tuple[type[ReceiptRow | DeliveryRow], ...] = (ReceiptRow, DeliveryRow)
_PASSED_ON = {"state", "completed_at", *CauseColumns.model_fields}


@dataclass(frozen=True, slots=True)
class Registration:
    """A registered delivery. `state` is the receipt's state, `flow_run_id` the run that this delivery triggered."""

    outcome: Outcome
    state: State
    flow_run_id: str | None


def register_all(deliveries: Sequence[Delivery], digest: str | None = None) -> list[Registration]:
    """Register deliveries of one receipt, of which all but the earliest cost a row. A repetition changes nothing and
    returns the same outcomes.

    `digest` is that of their reference, None if its key is away.

    Raises:
        Refused: `ERASED`, and nothing is recorded.
        Transient: something was erased, and the digest is not known.
    """
    first, *again = sorted(deliveries, key=lambda each: each.received_at)
    ids = [each.delivery_id for each in deliveries]
    with writing() as session:
        register_within(session, first, digest=digest)
        if again:
            rows = [_row_of(each, Outcome.DUPLICATE) for each in again]
            session.connection().execute(upsert(session, DeliveryRow).on_conflict_do_nothing(), rows)
        found = _registered(session.exec(_REGISTERED.where(col(DeliveryRow.delivery_id).in_(ids))))
    return [found[each] for each in ids]


def _row_of(delivery: Delivery, outcome: Outcome, flow_run_id: str | None = None) -> dict[str, Any]:
    names = ("delivery_id", "receipt_id", "reference", "received_at", "headers", "source")
    return {each: getattr(delivery, each) for each in names} | {"outcome": outcome, "flow_run_id": flow_run_id}


def register_within(
    session: Session, delivery: Delivery, flow_run_id: str | None = None, *, digest: str | None = None
) -> None:
    """Do as `register_all`, in the caller's transaction. `flow_run_id`: the run that archives the delivery already."""
    if erased(session, {delivery.reference: [digest] if digest else []}, [delivery.reference]):
        raise Refused("ERASED", "the archive of this process was erased")
    shared = {"reference": delivery.reference, "received_at": delivery.received_at, "source": delivery.source}
    receipt = shared | {"receipt_id": delivery.receipt_id, "state": State.RECEIVED, "size_bytes": delivery.size_bytes}
    known = {"process_number": delivery.process_number, "template_id": delivery.template_id}
    archive: dict[str, Any] = shared | known | {"state": State.RECEIVED, "digest": digest}
    archive_is_new = insert_new(session, ArchiveRow, archive)
    if archive_is_new:
        entries.add(session, ArchiveRow(**archive))
        entries.await_adding(session, delivery.reference)
    receipt_is_new = insert_new(session, ReceiptRow, receipt)
    outcome = Outcome.NEW if archive_is_new else Outcome.CHANGED if receipt_is_new else Outcome.DUPLICATE
    arrival = upsert(session, DeliveryRow).values(**_row_of(delivery, outcome, flow_run_id))
    session.connection().execute(arrival.on_conflict_do_nothing())
    if outcome is not Outcome.NEW:
        _set_earliest(session, delivery)
        _pass_on_state(session, delivery.reference)
    entries.set_attention(session, delivery.reference)


def registrations(delivery_ids: Sequence[str]) -> dict[str, Registration]:
    """Return what `register_all` returned for each registered delivery, by its id. One query per page of ids."""
    return _registered(read_among(col(DeliveryRow.delivery_id), delivery_ids, _REGISTERED))


_REGISTERED = select(DeliveryRow.delivery_id, DeliveryRow.outcome, ReceiptRow.state, DeliveryRow.flow_run_id).join(
    ReceiptRow, col(ReceiptRow.receipt_id) == col(DeliveryRow.receipt_id)
)


def _registered(found: Iterable[tuple[str, str, str, str | None]]) -> dict[str, Registration]:
    return {each[0]: Registration(Outcome(each[1]), State(each[2]), each[3]) for each in found}


def set_triggered(delivery_ids: Sequence[str], flow_run_id: str) -> State:
    """Record the run that deliveries of one receipt triggered, and return the present state of the receipt."""
    its_receipt = select(ReceiptRow.state).where(ReceiptRow.receipt_id == DeliveryRow.receipt_id).scalar_subquery()
    triggered = update(DeliveryRow).where(col(DeliveryRow.delivery_id).in_(delivery_ids))
    with writing() as session:
        states = session.execute(triggered.values(flow_run_id=flow_run_id).returning(its_receipt)).scalars()
        return State(states.all()[0])


def set_awaited(receipt_id: str) -> None:
    """Set a failed receipt to received, since a new run will come. A receipt whose run has begun stays unchanged."""
    failed = (col(ReceiptRow.receipt_id) == receipt_id, col(ReceiptRow.state) == State.FAILED)
    received = {"state": State.RECEIVED, **dict.fromkeys(CauseColumns.model_fields)}
    with writing() as session:
        awaited = update(ReceiptRow).where(*failed).values(received).returning(col(ReceiptRow.reference))
        found = session.execute(awaited).first()
        if found:
            _pass_on_state(session, found.reference)


def set_state(receipt_id: str, state: State, now: datetime) -> None:
    """Set the state of a receipt and update its archive. A completed receipt stays completed.

    A failed re-run takes nothing away from a complete archive, which has a condition until a run succeeds.
    """
    with writing() as session:
        set_state_within(session, receipt_id, state, now)


def set_failed(receipt_id: str, cause: Cause, now: datetime) -> None:
    """Set a receipt to failed for a cause that is no attempt's, and update its archive."""
    with writing() as session:
        set_state_within(session, receipt_id, State.FAILED, now, cause_columns(cause, 1, now))


def cause_columns(cause: Cause, attempt: int, since: datetime) -> CauseColumns:
    return CauseColumns(
        cause_code=cause.code,
        cause_task=cause.task,
        cause_error=cause.error_class,
        cause_sentence=cause.sentence,
        cause_values=cause.values,
        cause_attempt=attempt,
        cause_since=since,
    )


def set_state_within(
    session: Session, receipt_id: str, state: State, now: datetime, cause: CauseColumns | None = None
) -> None:
    """Do as `set_state`, in the caller's transaction. `cause` says why the receipt failed or waits."""
    # Locked: otherwise two writers could both read "processing" and both write, and the later might write "failed".
    receipt = session.get_one(ReceiptRow, receipt_id, with_for_update=True)
    if receipt.state != State.COMPLETED:
        completed_at = now if state is State.COMPLETED else None
        cause_now = (cause or CauseColumns()).model_dump()
        change(session, receipt, {"state": state, "completed_at": completed_at, **cause_now})
        _pass_on_state(session, receipt.reference)
    elif state is State.FAILED and cause and cause.cause_code != CANCELLED.code:
        _open_run_failed(session, receipt.reference, cause, now)
    if state is State.COMPLETED:
        conditions.set_within(session, Subject.ARCHIVE, receipt.reference, {ConditionCode.RUN_FAILED: None}, now)
        # A complete archive was read back from the store, which is there again.
        conditions.set_within(session, Subject.STORE, "", {ConditionCode.STORE_ABSENT: None}, now)


def _open_run_failed(session: Session, reference: str, cause: CauseColumns, now: datetime) -> None:
    """Record that the last run of a complete archive failed: the archive stays complete, and may be damaged now."""
    before = session.get(ConditionRow, (Subject.ARCHIVE, reference, ConditionCode.RUN_FAILED))
    values = {"cause": cause.cause_code, "task": cause.cause_task, **(cause.cause_values or {})}
    found = Found(before.count + 1 if before else 1, values)
    conditions.set_within(session, Subject.ARCHIVE, reference, {ConditionCode.RUN_FAILED: found}, now)


def newest_receipt_id(reference: str) -> str | None:
    """Return the newest receipt of a process, in any state."""
    return read_first(
        select(ReceiptRow.receipt_id)
        .where(ReceiptRow.reference == reference)
        .order_by(col(ReceiptRow.received_at).desc(), col(ReceiptRow.receipt_id).desc())
    )


def current_receipt_id(reference: str) -> str | None:
    """Return the receipt of the current version, or the newest receipt if no version is current."""
    archive = read_row(ArchiveRow, reference)
    return archive.current_receipt_id or newest_receipt_id(reference) if archive else None


@dataclass(frozen=True, slots=True)
class Completed:
    """The complete receipts of a process. `receipts` has the version of each receipt, None if the receipt said nothing
    new; `deliveries`, how often each receipt came.
    """

    receipts: Mapping[str, int | None]
    deliveries: Mapping[str, int]


_ITS_DELIVERIES = (
    sqlalchemy.select(func.count())
    .where(col(DeliveryRow.receipt_id) == col(ReceiptRow.receipt_id))
    .correlate(ReceiptRow)
    .scalar_subquery()
)
# Compiled once and without the ORM, since a check of the store runs it for all objects.
_COMPLETED = (
    sqlalchemy.select(
        col(ReceiptRow.reference),
        col(ReceiptRow.receipt_id),
        col(VersionRow.version),
        _ITS_DELIVERIES,
    )
    .join(VersionRow, col(VersionRow.receipt_id) == col(ReceiptRow.receipt_id), isouter=True)
    .where(
        col(ReceiptRow.reference).in_(sqlalchemy.bindparam("references", expanding=True)),
        col(ReceiptRow.state) == State.COMPLETED,
    )
)


def completed(references: Sequence[str]) -> dict[str, Completed]:
    """Return the complete receipts of processes, by reference."""
    found: dict[str, list[Any]] = {reference: [] for reference in references}
    with reading() as session:
        for page in pages(references):
            for row in session.connection().execute(_COMPLETED, {"references": page}):
                found[row[0]].append(row)
    return {
        reference: Completed({row[1]: row[2] for row in rows}, {row[1]: row[3] for row in rows})
        for reference, rows in found.items()
    }


def find(receipt_id: str) -> ReceiptRow | None:
    return read_row(ReceiptRow, receipt_id)


def references(receipt_ids: Iterable[str]) -> dict[str, str]:
    """Return the references of those of the receipts that are known."""
    its = select(ReceiptRow.receipt_id, ReceiptRow.reference)
    return dict(read_among(col(ReceiptRow.receipt_id), receipt_ids, its))


def get(receipt_id: str) -> ReceiptRow:
    with asking() as session:
        return session.get_one(ReceiptRow, receipt_id)


def delivery_ids(receipt_id: str) -> list[str]:
    """Return the ids of the registered deliveries of a receipt."""
    return read_all(select(DeliveryRow.delivery_id).where(DeliveryRow.receipt_id == receipt_id))


def last_deliveries(sources: Iterable[str]) -> dict[str, datetime]:
    """Return the time of the last delivery of each of some sources that has any. Each is the end of an index."""
    last = select(func.max(col(DeliveryRow.received_at), type_=Moment()))
    with reading() as session:
        found = {each: session.exec(last.where(DeliveryRow.source == each)).one() for each in sources}
        return {name: at for name, at in found.items() if at}


def traceparent(receipt_id: str) -> str | None:
    """Return the trace context of the newest delivery of a receipt that carries one."""
    arrivals = select(DeliveryRow.headers).where(DeliveryRow.receipt_id == receipt_id)
    found = read_all(arrivals.order_by(col(DeliveryRow.delivery_id).desc()))
    return next((headers["traceparent"] for headers in found if "traceparent" in headers), None)


def failed(reference: str) -> list[str]:
    """Return the failed receipts of a process."""
    theirs = select(ReceiptRow.receipt_id).where(ReceiptRow.reference == reference)
    return read_all(theirs.where(ReceiptRow.state == State.FAILED))


def incomplete() -> set[str]:
    """Return the receipts that are not complete: the inbox has the body of each."""
    return set(read_all(select(ReceiptRow.receipt_id).where(ReceiptRow.state != State.COMPLETED)))


def restore(reference: str, found: Iterable[ReceiptRow], digest: str | None = None) -> None:
    """Record the missing receipts of a process, and its archive if it has any receipt. Existing rows stay.

    `digest` is as in `register_all`.
    """
    with writing() as session:
        for row in found:
            insert_new(session, ReceiptRow, row.model_dump())
        theirs = (select(its.received_at, its.source).where(its.reference == reference) for its in _ARRIVALS)
        arrivals = [session.exec(each.order_by("received_at").limit(1)).first() for each in theirs]
        if earliest := min(filter(None, arrivals), default=None):
            first = {"received_at": earliest[0], "source": earliest[1], "digest": digest}
            if insert_new(session, ArchiveRow, first | {"reference": reference, "state": State.RECEIVED}):
                entries.add(session, session.get_one(ArchiveRow, reference))
            _pass_on_state(session, reference)
            entries.set_discrepancies(session, [reference])
            entries.set_attention(session, reference)


def _set_earliest(session: Session, delivery: Delivery) -> None:
    """Move the times of receipt and archive back: an earlier delivery may be registered after a later delivery. The
    first delivery decides on the source too, until the first version of an archive does.

    Once a run has begun, time and source of its receipt stay: they decided which version is current, and how it is
    read, and a rebuild must decide the same.
    """
    is_begun = select(RunRow.receipt_id).where(RunRow.receipt_id == delivery.receipt_id).exists()
    waits = (col(ReceiptRow.receipt_id) == delivery.receipt_id, col(ReceiptRow.state) == State.RECEIVED, ~is_begun)
    session.execute(
        update(ReceiptRow)
        .where(*waits, col(ReceiptRow.received_at) > delivery.received_at)
        .values(received_at=delivery.received_at, source=delivery.source)
    )
    earlier = (col(ArchiveRow.reference) == delivery.reference, col(ArchiveRow.received_at) > delivery.received_at)
    is_archived = select(VersionRow.receipt_id).where(VersionRow.reference == delivery.reference).exists()
    owner = sqlalchemy.case((is_archived, col(ArchiveRow.source)), else_=delivery.source)
    first = {"received_at": delivery.received_at, "source": owner}
    moved = session.execute(update(ArchiveRow).where(*earlier).values(first).returning(col(ArchiveRow.reference)))
    if moved.first() is not None:
        entries.move(session, delivery.reference, delivery.received_at)


def _pass_on_state(session: Session, reference: str) -> None:
    # The archive is locked before the newest receipt is read: an earlier read may be outdated.
    archive = session.get_one(ArchiveRow, reference, with_for_update=True)
    newest = session.exec(
        select(ReceiptRow)
        .where(ReceiptRow.reference == reference)
        .order_by(col(ReceiptRow.received_at).desc(), col(ReceiptRow.receipt_id).desc())
        .execution_options(populate_existing=True)
    ).first()
    if newest:
        change(session, archive, newest.model_dump(include=_PASSED_ON))
        entries.set_archive(session, archive)

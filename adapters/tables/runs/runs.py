"""The history of runs."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import and_, or_
from sqlmodel import Session, col, exists, func, select, update

from adapters.database.transactions import insert_new, read_all, read_among, read_first, read_one, reading, writing
from adapters.tables.runs import waiting
from adapters.tables.runs.receipts import cause_columns, set_state_within
from models.archive.archive import ArchiveRow, State
from models.errors import System
from models.messages.notification import EventRow, EventType
from models.runs.receipt import Cause, FailedReceipt, ReceiptRow, RunRow, RunState, WaitingRow

_OF_AN_UNSEEN_END = {"state", "ended_at", "cause_code", "cause_error", "cause_sentence", "cause_values"}


def begin(run: RunRow) -> None:
    """Record an attempt of a run, and set its receipt to processing.

    Earlier attempts of the run without an end have crashed: a run has one attempt at a time.
    """
    with writing() as session:
        if run.attempt > 1:
            end_crashed_within(session, run.flow_run_id, run.attempt, run.started_at)
        begin_within(session, run)


def end_crashed_within(session: Session, flow_run_id: str, attempt: int, now: datetime) -> None:
    """Record that the attempts of a run before `attempt` that have no end have crashed, in the caller's transaction."""
    earlier = col(RunRow.flow_run_id) == flow_run_id, col(RunRow.attempt) < attempt, col(RunRow.ended_at).is_(None)
    session.execute(update(RunRow).where(*earlier).values(state=RunState.CRASHED, ended_at=now))


def begin_within(session: Session, run: RunRow) -> None:
    """Record an attempt of a run, and set its receipt to processing, in the caller's transaction."""
    insert_new(session, RunRow, run.model_dump())
    set_state_within(session, run.receipt_id, State.PROCESSING, run.started_at)


def end(
    flow_run_id: str, attempt: int, state: RunState, receipt_state: State, now: datetime, cause: Cause | None = None
) -> None:
    """Record the end of an open attempt of a run, and the state of its receipt, with the cause of a failure.

    The attempt of an import ends for all its open receipts.

    An attempt that was wrongly taken for dead changes nothing: the next attempt has closed it.
    """
    with writing() as session:
        for receipt_id in _ended_within(session, flow_run_id, attempt, state, now, cause):
            kept = cause_columns(cause, attempt, now) if cause and receipt_state is State.FAILED else None
            set_state_within(session, receipt_id, receipt_state, now, kept)
            if receipt_state is not State.RECEIVED:  # else the crashed run goes on, or the sweep starts the next run
                waiting.remove_within(session, [receipt_id])


def wait(flow_run_id: str, attempt: int, waits_for: System, now: datetime, cause: Cause) -> waiting.Wait | None:
    """Record that an open attempt of a run has ended and that the run waits to be tried again.

    Returns:
        How long the run has waited; None for an attempt that was wrongly taken for dead, which changes nothing.
    """
    with writing() as session:
        ended = _ended_within(session, flow_run_id, attempt, RunState.AWAITING_RETRY, now, cause)
        if not ended:
            return None
        [receipt_id] = ended
        receipt = session.get_one(ReceiptRow, receipt_id)
        row = WaitingRow(
            flow_run_id=flow_run_id,
            reference=receipt.reference,
            receipt_id=receipt_id,
            waits_for=waits_for,
            since=now,
            attempts=1,
        )
        waits = waiting.begin_within(session, row)
        set_state_within(session, receipt_id, State.PROCESSING, now, cause_columns(cause, attempt, waits.since))
        return waits


def crashes(flow_run_id: str) -> int:
    """Return how many attempts of a run have crashed, or have no end."""
    crashed = or_(col(RunRow.state) == RunState.CRASHED, col(RunRow.ended_at).is_(None))
    counted = select(func.count(col(RunRow.attempt).distinct())).where(RunRow.flow_run_id == flow_run_id, crashed)
    return read_one(counted)


def crashing_since(flow_run_id: str, begun: datetime, now: datetime) -> datetime:
    """Return since when a run only crashes: the start of the first of its last attempts that crashed, or have no end.

    It is `now` if the last attempt ended otherwise, and `begun` for a run without an attempt, as of other flows.
    """
    columns = select(RunRow.state, RunRow.ended_at, RunRow.started_at).where(RunRow.flow_run_id == flow_run_id)
    attempts = read_all(columns.order_by(col(RunRow.attempt).desc()))
    since = now if attempts else begun
    for state, ended_at, started_at in attempts:
        if ended_at and state != RunState.CRASHED:
            break
        since = started_at
    return since


def _ended_within(
    session: Session, flow_run_id: str, attempt: int, state: RunState, now: datetime, cause: Cause | None
) -> list[str]:
    """Record the end of an attempt and return its receipts; none if the attempt is not open."""
    its = col(RunRow.flow_run_id) == flow_run_id, col(RunRow.attempt) == attempt, col(RunRow.ended_at).is_(None)
    ended = update(RunRow).where(*its).values(columns_of_end(state, now, cause))
    return [row.receipt_id for row in session.execute(ended.returning(col(RunRow.receipt_id)))]


def columns_of_end(state: RunState, now: datetime, cause: Cause | None) -> dict[str, Any]:
    """Return the columns that record the end of an attempt, with the cause of a failure."""
    values: dict[str, Any] = {"state": state, "ended_at": now}
    if cause:
        values |= {"failed_task": cause.task, "cause_code": cause.code}
        values |= {"cause_error": cause.error_class, "cause_sentence": cause.sentence, "cause_values": cause.values}
    return values


def record_unseen(run: RunRow) -> bool:
    """Record the end of a run that no worker saw, and return whether our history lacked that end.

    Its worker was killed, or a person cancelled it while it waited to be tried again.
    """
    its = (col(RunRow.flow_run_id) == run.flow_run_id, col(RunRow.receipt_id) == run.receipt_id)
    last = select(func.max(RunRow.attempt)).where(*its).scalar_subquery()
    waited = and_(col(RunRow.state) == RunState.AWAITING_RETRY, col(RunRow.attempt) == last)
    unended = update(RunRow).where(*its, or_(col(RunRow.ended_at).is_(None), waited))
    with writing() as session:
        waiting.remove_within(session, [run.receipt_id], asked_too=False)
        if insert_new(session, RunRow, run.model_dump()):
            return True
        return session.connection().execute(unended.values(run.model_dump(include=_OF_AN_UNSEEN_END))).rowcount > 0


def ended_runs(receipt_id: str) -> int:
    """Return how many flow runs of a receipt have ended and are not being retried. A run that waits has not ended."""
    attempts = read_all(select(RunRow).where(RunRow.receipt_id == receipt_id).order_by(col(RunRow.attempt)))
    last = {each.flow_run_id: each for each in attempts}
    return sum(each.ended_at is not None and each.state != RunState.AWAITING_RETRY for each in last.values())


def ids_of_receipts(receipt_ids: Iterable[str]) -> set[str]:
    """Return the ids of the flow runs of receipts."""
    return set(read_among(col(RunRow.receipt_id), receipt_ids, select(RunRow.flow_run_id)))


def receipts_of(flow_run_ids: Iterable[str]) -> dict[str, str]:
    """Return the id of the receipt of each flow run that archives one receipt."""
    return dict(read_among(col(RunRow.flow_run_id), flow_run_ids, select(RunRow.flow_run_id, RunRow.receipt_id)))


def begun_since(flow_run_ids: Iterable[str], at: datetime) -> set[str]:
    """Return the flow runs that have an attempt which began at or after a time."""
    begun = select(RunRow.flow_run_id).where(col(RunRow.started_at) >= at)
    return set(read_among(col(RunRow.flow_run_id), flow_run_ids, begun))


def newest_since(reference: str, at: datetime) -> str | None:
    """Return the flow run of a process that began last, at or after a time."""
    begun = select(RunRow.flow_run_id).where(RunRow.reference == reference, col(RunRow.started_at) >= at)
    return read_first(begun.order_by(col(RunRow.started_at).desc()))


def has_failed(flow_run_id: str, receipt_id: str) -> bool:
    """Return whether the last attempt of a run at a receipt failed or was cancelled by a person, by the history."""
    its = select(RunRow.state).where(RunRow.flow_run_id == flow_run_id, RunRow.receipt_id == receipt_id)
    with reading() as session:
        return session.exec(its.order_by(col(RunRow.attempt).desc())).first() in (RunState.FAILED, RunState.CANCELLED)


def failure_of(receipt_id: str) -> FailedReceipt | None:
    """Return the failure of a receipt; None if it has not failed for good."""
    with reading() as session:
        receipt = session.get(ReceiptRow, receipt_id)
        return next(_failures(session, [receipt] if receipt else []), None)


def failures_without_event(since: datetime, most: int) -> list[FailedReceipt]:
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
        cause = Cause(each.cause_code, each.cause_task, each.cause_error or "", each.told())
        yield FailedReceipt(
            each.reference,
            each.receipt_id,
            each.cause_since,
            cause,
            each.cause_attempt or 1,
            session.exec(its.order_by(col(RunRow.started_at).desc()).limit(1)).first(),
        )

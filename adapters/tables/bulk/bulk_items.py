"""The archives of bulk re-runs: which wait, which are started, and what became of each."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, and_, col, exists, func, or_, select, update

from adapters.database.transactions import reading, writing
from domain.bulk.decisions import Flight
from models.archive.archive import ArchiveRow, State
from models.runs.bulk import BulkItemRow, BulkRow, BulkState, ItemState, Skipped
from models.runs.cause import WaitingRow
from models.runs.receipt import ReceiptRow
from models.runs.run import RunRow, RunState, Trigger

_NEW_WITHIN = timedelta(minutes=10)
"""An archive that has been on its way for longer waits for a person, and delays no bulk re-run."""
_HOLDS_PLACE_FOR = timedelta(minutes=5)
_HOLDS_PLACE_AT_MOST = timedelta(hours=1)


def counts(bulk_id: str) -> dict[ItemState, int]:
    """Return how many archives of a list are in each state."""
    counted = (
        select(BulkItemRow.state, func.count())
        .where(col(BulkItemRow.state).in_(list(ItemState)), BulkItemRow.bulk_id == bulk_id)
        .group_by(BulkItemRow.state)
    )
    with reading() as session:
        return {ItemState(state): number for state, number in session.exec(counted)}


def page(
    bulk_id: str, state: ItemState | None, after: int, limit: int
) -> list[tuple[BulkItemRow, str | None, str | None]]:
    """Return archives of a list behind a position, in order, each with code and sentence of its run's failure."""
    chosen = select(BulkItemRow).where(BulkItemRow.bulk_id == bulk_id, col(BulkItemRow.position) > after)
    if state:
        chosen = chosen.where(BulkItemRow.state == state)
    with reading() as session:
        items = session.exec(chosen.order_by(col(BulkItemRow.position)).limit(limit)).all()
        failed = [each.flow_run_id for each in items if each.state == ItemState.FAILED and each.flow_run_id]
        last = _last_attempts(session, failed)
    return [
        (each, run.cause_code if run else None, run.cause_sentence if run else None)
        for each in items
        for run in [last.get(each.flow_run_id or "")]
    ]


def failures(bulk_id: str) -> list[tuple[str | None, str | None, int]]:
    """Return why the archives of a list failed: code, sentence and number of archives, the most frequent first."""
    newest = select(RunRow.flow_run_id, func.max(RunRow.attempt).label("attempt")).group_by(col(RunRow.flow_run_id))
    last = newest.where(
        col(RunRow.flow_run_id).in_(
            select(BulkItemRow.flow_run_id).where(BulkItemRow.bulk_id == bulk_id, BulkItemRow.state == ItemState.FAILED)
        )
    ).subquery()
    count = func.count()
    counted = (
        select(RunRow.cause_code, func.min(RunRow.cause_sentence), count)
        .select_from(BulkItemRow)
        .join(last, last.c.flow_run_id == BulkItemRow.flow_run_id, isouter=True)
        .join(RunRow, and_(RunRow.flow_run_id == last.c.flow_run_id, RunRow.attempt == last.c.attempt), isouter=True)
        .where(BulkItemRow.bulk_id == bulk_id, BulkItemRow.state == ItemState.FAILED)
        .group_by(RunRow.cause_code)
        .order_by(count.desc())
    )
    with reading() as session:
        return [(code, sentence, number) for code, sentence, number in session.connection().execute(counted)]


def next_queued(bulk_id: str, limit: int) -> list[tuple[BulkItemRow, State | None]]:
    """Return the queued archives, in order, each with its present state, None if the archive is gone."""
    queued = (
        select(BulkItemRow, ArchiveRow.state)
        .join(ArchiveRow, col(ArchiveRow.reference) == col(BulkItemRow.reference), isouter=True)
        .where(BulkItemRow.state == ItemState.QUEUED, BulkItemRow.bulk_id == bulk_id)
        .order_by(col(BulkItemRow.position))
        .limit(limit)
    )
    with reading() as session:
        return [(item, State(state) if state else None) for item, state in session.exec(queued)]


def skip(bulk_id: str, reasons: Mapping[int, Skipped], now: datetime) -> None:
    """Record that queued archives, by position, get no run."""
    with writing() as session:
        for position, reason in reasons.items():
            ended = {"state": ItemState.SKIPPED, "skipped": reason, "ended_at": now}
            session.execute(_item(bulk_id, position, ItemState.QUEUED).values(ended))


def mark_started(bulk_id: str, position: int, receipt_id: str, now: datetime) -> bool:
    """Record that a run of a queued archive is about to be asked for. False if another driver has done so."""
    started = {"state": ItemState.STARTED, "receipt_id": receipt_id, "started_at": now}
    with writing() as session:
        marked = _item(bulk_id, position, ItemState.QUEUED).values(started)
        return session.connection().execute(marked).rowcount == 1


def set_run(bulk_id: str, position: int, flow_run_id: str) -> None:
    """Record the run of a started archive."""
    with writing() as session:
        session.execute(_item(bulk_id, position, ItemState.STARTED).values(flow_run_id=flow_run_id))


def end(bulk_id: str, position: int, state: ItemState, now: datetime, **known: str) -> None:
    """Record what became of a started archive, with what is `known` besides: `skipped`, or its `flow_run_id`."""
    with writing() as session:
        session.execute(_item(bulk_id, position, ItemState.STARTED).values(state=state, ended_at=now, **known))


def flights(bulk_id: str) -> list[Flight]:
    """Return the started archives, each with what the history knows of its run. A few queries for any number."""
    with reading() as session:
        items = session.exec(
            select(BulkItemRow).where(BulkItemRow.state == ItemState.STARTED, BulkItemRow.bulk_id == bulk_id)
        ).all()
        found = {each.position: each.flow_run_id or _unrecorded_run(session, each) for each in items}
        last = _last_attempts(session, [each for each in found.values() if each])
        states = _receipt_states(session, [each.receipt_id for each in items if each.receipt_id])
    return [_flight(each, found[each.position], last, states) for each in items]


def in_flight(now: datetime) -> int:
    """Return how many started archives of all bulk re-runs hold a place.

    A run that waits for a system that is away holds its place for some minutes: an outage must not let the whole list
    wait at once, and an archive that waits for days must not block the list. The receipt does not show the wait of an
    archive that was complete before. A run that kills its worker each time is tried for days too.
    """
    waits_long = exists().where(
        col(WaitingRow.receipt_id) == col(BulkItemRow.receipt_id), col(WaitingRow.since) < now - _HOLDS_PLACE_FOR
    )
    works = exists().where(col(RunRow.receipt_id) == col(BulkItemRow.receipt_id), col(RunRow.ended_at).is_(None))
    counted = (
        select(func.count())
        .select_from(BulkItemRow)
        .where(BulkItemRow.state == ItemState.STARTED, col(BulkItemRow.started_at) > now - _HOLDS_PLACE_AT_MOST)
        .where(or_(~waits_long, works))
    )
    with reading() as session:
        return session.exec(counted).one()


def aborted_in_flight() -> list[str]:
    """Return the aborted bulk re-runs that have started archives."""
    aborted = col(BulkRow.state) == BulkState.ABORTED
    found = select(BulkItemRow.bulk_id).join(BulkRow, col(BulkRow.id) == col(BulkItemRow.bulk_id)).where(aborted)
    with reading() as session:
        return list(session.exec(found.where(BulkItemRow.state == ItemState.STARTED).distinct()))


def new_archives(now: datetime) -> int:
    """Return how many new archives are on their way. Archives of bulk re-runs and archives that wait do not count."""
    of_bulks = select(BulkItemRow.reference).where(BulkItemRow.state == ItemState.STARTED)
    counted = (
        select(func.count())
        .select_from(ArchiveRow)
        .where(
            col(ArchiveRow.state).in_((State.RECEIVED, State.PROCESSING)),
            col(ArchiveRow.cause_code).is_(None),
            col(ArchiveRow.received_at) > now - _NEW_WITHIN,
            col(ArchiveRow.reference).not_in(of_bulks),
        )
    )
    with reading() as session:
        return session.exec(counted).one()


def _item(bulk_id: str, position: int, state: ItemState) -> Any:
    these = (col(BulkItemRow.bulk_id) == bulk_id, col(BulkItemRow.position) == position)
    return update(BulkItemRow).where(*these, col(BulkItemRow.state) == state)


def _unrecorded_run(session: Session, item: BulkItemRow) -> str | None:
    """Return the run that a killed driver started and did not record, None if it has not begun.

    A run that only Prefect knew is recorded as if it had ended when it began; it is older.
    """
    begun = select(RunRow.flow_run_id).where(
        RunRow.receipt_id == item.receipt_id,
        RunRow.trigger != Trigger.IMPORT,
        col(RunRow.started_at) >= item.started_at,
        or_(col(RunRow.ended_at).is_(None), col(RunRow.ended_at) != col(RunRow.started_at)),
    )
    return session.exec(begun.order_by(col(RunRow.started_at).desc())).first()


def _last_attempts(session: Session, flow_run_ids: Sequence[str]) -> dict[str, RunRow]:
    rows = session.exec(select(RunRow).where(col(RunRow.flow_run_id).in_(flow_run_ids)).order_by(col(RunRow.attempt)))
    return {each.flow_run_id: each for each in rows}


def _receipt_states(session: Session, receipt_ids: Iterable[str]) -> dict[str, State]:
    found = select(ReceiptRow.receipt_id, ReceiptRow.state).where(col(ReceiptRow.receipt_id).in_(list(receipt_ids)))
    return {receipt_id: State(state) for receipt_id, state in session.exec(found)}


def _flight(
    item: BulkItemRow, flow_run_id: str | None, last: Mapping[str, RunRow], states: Mapping[str, State]
) -> Flight:
    receipt_id = item.receipt_id or ""  # set with the start
    run = last.get(flow_run_id or "")
    return Flight(
        position=item.position,
        reference=item.reference,
        receipt_id=receipt_id,
        was=State(item.was),
        asked_at=item.started_at,
        flow_run_id=flow_run_id,
        run_state=RunState(run.state) if run else None,
        receipt_state=states.get(receipt_id),
    )

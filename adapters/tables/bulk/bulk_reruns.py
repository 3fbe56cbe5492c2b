"""Bulk re-runs: their plans and states, in the database. The archives of a frozen list are in `bulk_items`."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, insert, literal
from sqlmodel import Session, col, func, select, update

from adapters.database.listing import Order, listed
from adapters.database.transactions import insert_new, reading, writing
from models.archive.archive import ArchiveRow
from models.messages.notification import NotificationRow, NotificationState
from models.runs.bulk import BulkItemRow, BulkRow, BulkState, ItemState
from models.runs.run import RunRow, RunState, Trigger

_MOST_MEASURED = 500
_NEWEST_FIRST = Order(col(BulkRow.created_at), col(BulkRow.id), is_descending=True)


@dataclass(frozen=True, slots=True)
class Group:
    """Archives with the same state, cause and template, and how many they are."""

    state: str
    cause_code: str | None
    cause_task: str | None
    sentence: str | None
    template_id: str | None
    archives: int


def add(row: BulkRow) -> None:
    """Record a plan. A repetition changes nothing."""
    with writing() as session:
        insert_new(session, BulkRow, row.model_dump())


def find(bulk_id: str) -> BulkRow | None:
    with reading() as session:
        return session.get(BulkRow, bulk_id)


def page(cursor: str | None, limit: int) -> tuple[Sequence[BulkRow], str | None]:
    """Return bulk re-runs, newest first, and the cursor of the next page.

    Raises:
        Refused: the cursor is invalid.
    """
    with reading() as session:
        return listed(session, select(BulkRow), _NEWEST_FIRST, cursor, limit)


def in_states(states: Collection[BulkState]) -> list[BulkRow]:
    with reading() as session:
        return list(
            session.exec(select(BulkRow).where(col(BulkRow.state).in_(states)).order_by(col(BulkRow.created_at)))
        )


def groups(conditions: Sequence[ColumnElement[bool]]) -> list[Group]:
    """Count archives by state, cause and template, the most frequent first. One pass over the archives."""
    keys = [ArchiveRow.state, ArchiveRow.cause_code, ArchiveRow.cause_task, ArchiveRow.template_id]
    count = func.count()
    counted: Any = select(*keys, func.min(ArchiveRow.cause_sentence), count)  # type: ignore[call-overload]
    counted = counted.where(*conditions).group_by(*keys)
    with reading() as session:
        found = session.connection().execute(counted.order_by(count.desc())).all()
    return [Group(state, code, task, sentence, template, n) for state, code, task, template, sentence, n in found]


def undelivered(conditions: Sequence[ColumnElement[bool]]) -> int:
    """Count the messages of archives that no endpoint has confirmed."""
    theirs = select(ArchiveRow.reference).where(*conditions)
    counted = select(func.count()).select_from(NotificationRow)
    waiting = col(NotificationRow.state) != NotificationState.DELIVERED
    with reading() as session:
        return session.exec(counted.where(waiting, col(NotificationRow.reference).in_(theirs))).one()


def recent_durations(since: datetime) -> list[float]:
    """Return how many seconds the last archives took: in bulk re-runs, else in single runs.

    A bulk re-run measures from the request for a run until its end was noticed: as the next archives will take.
    An import archives many at once, so its times say nothing about a single run.
    """
    of_items = select(BulkItemRow.started_at, BulkItemRow.ended_at).where(
        col(BulkItemRow.state) == ItemState.COMPLETED, col(BulkItemRow.ended_at) > since
    )
    of_runs = select(RunRow.started_at, RunRow.ended_at).where(
        col(RunRow.state) == RunState.COMPLETED, RunRow.trigger != Trigger.IMPORT, col(RunRow.ended_at) > since
    )
    with reading() as session:
        for found, ended_at in ((of_items, col(BulkItemRow.ended_at)), (of_runs, col(RunRow.ended_at))):
            rows = session.connection().execute(found.order_by(ended_at.desc()).limit(_MOST_MEASURED)).all()
            if rows:
                return [(ended - started) / timedelta(seconds=1) for started, ended in rows]
    return []


def freeze(bulk_id: str, conditions: Sequence[ColumnElement[bool]], action: dict[str, str], now: datetime) -> bool:
    """Freeze the list of a plan, and set it to running, or to done if the list is empty. One INSERT of any length.

    Returns:
        False if it is no longer planned. Nothing is changed then.
    """
    position = func.row_number().over(order_by=(col(ArchiveRow.received_at), col(ArchiveRow.reference)))
    state = literal(ItemState.QUEUED.value)
    frozen: Any = select(literal(bulk_id), position, ArchiveRow.reference, ArchiveRow.state, state)  # type: ignore[call-overload]
    columns = ["bulk_id", "position", "reference", "was", "state"]
    with writing() as session:
        row = _locked(session, bulk_id)
        if row.state != BulkState.PLANNED:
            return False
        session.connection().execute(insert(BulkItemRow).from_select(columns, frozen.where(*conditions)))
        last = select(func.max(BulkItemRow.position)).where(BulkItemRow.bulk_id == bulk_id)
        row.planned = session.exec(last).one() or 0  # positions have no gaps, and psycopg counts no rows here
        row.state = BulkState.RUNNING if row.planned else BulkState.DONE
        row.confirmed_at = now
        row.ended_at = None if row.planned else now
        row.actions = [*row.actions, action]
        return True


def change(
    bulk_id: str, before: Collection[BulkState], after: BulkState, action: dict[str, str] | None, now: datetime
) -> bool:
    """Change the state of a bulk re-run if it is in one of the states `before`, and return whether it was.

    Args:
        action: what is added to its record, None where nobody acted.
    """
    with writing() as session:
        row = _locked(session, bulk_id)
        if row.state not in before:
            return False
        row.state = after
        if after in (BulkState.ABORTED, BulkState.DONE):
            row.ended_at = now
        if action:
            row.actions = [*row.actions, action]
        return True


def set_driver(bulk_id: str, flow_run_id: str, number: int | None = None) -> None:
    """Record the flow run that drives a bulk re-run. With the `number` of a new driver, only the first caller does."""
    ours = update(BulkRow).where(col(BulkRow.id) == bulk_id)
    if number is not None:
        ours = ours.where(col(BulkRow.drivers) < number).values(drivers=number)
    with writing() as session:
        session.execute(ours.values(flow_run_id=flow_run_id))


def _locked(session: Session, bulk_id: str) -> BulkRow:
    return session.get_one(BulkRow, bulk_id, with_for_update=True)

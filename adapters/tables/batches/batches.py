"""Batches in the database: their plans and states, the frozen lists, and what became of each item. Of every kind."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, insert, literal
from sqlmodel import Session, col, func, select, update

from adapters.database.listing import Order, listed
from adapters.database.noted import note
from adapters.database.transactions import insert_new, read_all, read_row, reading, writing
from models.runs.batch import BatchItemRow, BatchKind, BatchRow, BatchState, ItemState

_NEWEST_FIRST = Order(col(BatchRow.created_at), col(BatchRow.id), is_descending=True)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows of a table become the items of a batch, and in which order."""

    subject: Any
    state: Any
    order: tuple[Any, ...]
    conditions: Sequence[ColumnElement[bool]]


def add(row: BatchRow) -> None:
    """Record a plan. A repetition changes nothing."""
    with writing() as session:
        if insert_new(session, BatchRow, row.model_dump()):
            note(session, BatchRow, col(BatchRow.id) == row.id)


def find(batch_id: str) -> BatchRow | None:
    return read_row(BatchRow, batch_id)


def page(kind: BatchKind | None, cursor: str | None, limit: int) -> tuple[Sequence[BatchRow], str | None]:
    """Return batches of a kind, or of all kinds, newest first, and the cursor of the next page.

    Raises Refused if the cursor is invalid.
    """
    chosen = select(BatchRow).where(BatchRow.kind == kind) if kind else select(BatchRow)
    with reading() as session:
        return listed(session, chosen, _NEWEST_FIRST, cursor, limit)


def in_states(states: Collection[BatchState]) -> list[BatchRow]:
    chosen = select(BatchRow).where(col(BatchRow.state).in_(states))
    return read_all(chosen.order_by(col(BatchRow.created_at)))


def freeze(batch_id: str, chosen: Selection, action: dict[str, str], now: datetime) -> bool:
    """Freeze the list of a plan, and set it to running, or to done if the list is empty. One INSERT of any length.

    Returns:
        False if it is no longer planned. Nothing is changed then.
    """
    position = func.row_number().over(order_by=chosen.order)
    queued = literal(ItemState.QUEUED.value)
    frozen: Any = select(literal(batch_id), position, chosen.subject, chosen.state, queued)  # type: ignore[call-overload]
    columns = ["batch_id", "position", "subject", "was", "state"]
    with writing() as session:
        row = _locked(session, batch_id)
        if row.state != BatchState.PLANNED:
            return False
        session.connection().execute(insert(BatchItemRow).from_select(columns, frozen.where(*chosen.conditions)))
        last = select(func.max(BatchItemRow.position)).where(BatchItemRow.batch_id == batch_id)
        row.planned = session.exec(last).one() or 0  # positions have no gaps, and psycopg counts no rows here
        row.state = BatchState.RUNNING if row.planned else BatchState.DONE
        row.confirmed_at = now
        row.ended_at = None if row.planned else now
        row.actions = [*row.actions, action]
        note(session, BatchRow, col(BatchRow.id) == batch_id)
        note(session, BatchItemRow, col(BatchItemRow.batch_id) == batch_id)
        return True


def change(
    batch_id: str, before: Collection[BatchState], after: BatchState, action: dict[str, str] | None, now: datetime
) -> bool:
    """Change the state of a batch if it is in one of the states `before`, and return whether it was.

    Args:
        action: what is added to its record, None where nobody acted.
    """
    with writing() as session:
        row = _locked(session, batch_id)
        if row.state not in before:
            return False
        row.state = after
        if after in (BatchState.ABORTED, BatchState.DONE):
            row.ended_at = now
        if action:
            row.actions = [*row.actions, action]
        note(session, BatchRow, col(BatchRow.id) == batch_id)
        return True


def set_driver(batch_id: str, flow_run_id: str, number: int | None = None) -> None:
    """Record the flow run that drives a batch. With the `number` of a new driver, only the first caller does."""
    ours = update(BatchRow).where(col(BatchRow.id) == batch_id)
    if number is not None:
        ours = ours.where(col(BatchRow.drivers) < number).values(drivers=number)
    with writing() as session:
        session.execute(ours.values(flow_run_id=flow_run_id))
        note(session, BatchRow, col(BatchRow.id) == batch_id)


def aborted_in_flight() -> list[BatchRow]:
    """Return the aborted batches that have started items."""
    started = select(BatchItemRow.batch_id).where(BatchItemRow.state == ItemState.STARTED)
    aborted = select(BatchRow).where(BatchRow.state == BatchState.ABORTED, col(BatchRow.id).in_(started))
    return read_all(aborted)


def counts(batch_id: str) -> dict[ItemState, int]:
    """Return how many items of a list are in each state."""
    counted = (
        select(BatchItemRow.state, func.count())
        .where(col(BatchItemRow.state).in_(list(ItemState)), BatchItemRow.batch_id == batch_id)
        .group_by(BatchItemRow.state)
    )
    return {ItemState(state): number for state, number in read_all(counted)}


def items(batch_id: str, state: ItemState | None, after: int, limit: int) -> Sequence[BatchItemRow]:
    """Return items of a list behind a position, in order."""
    chosen = select(BatchItemRow).where(BatchItemRow.batch_id == batch_id, col(BatchItemRow.position) > after)
    if state:
        chosen = chosen.where(BatchItemRow.state == state)
    return read_all(chosen.order_by(col(BatchItemRow.position)).limit(limit))


def failures(batch_id: str) -> list[tuple[str | None, str | None, int]]:
    """Return why the items of a list failed: cause, sentence and number of items, the most frequent first."""
    count = func.count()
    counted = (
        select(BatchItemRow.cause, func.min(BatchItemRow.sentence), count)
        .where(BatchItemRow.batch_id == batch_id, BatchItemRow.state == ItemState.FAILED)
        .group_by(col(BatchItemRow.cause))
        .order_by(count.desc())
    )
    return read_all(counted)


def change_items(batch_id: str, positions: Collection[int], before: ItemState, **after: Any) -> int:
    """Change items that are in the state `before`, and return how many were."""
    these = (col(BatchItemRow.batch_id) == batch_id, col(BatchItemRow.position).in_(positions))
    changed = update(BatchItemRow).where(*these, col(BatchItemRow.state) == before).values(after)
    with writing() as session:
        count = session.connection().execute(changed).rowcount
        if count:
            note(session, BatchItemRow, *these)
        return count


def end_item(batch_id: str, position: int, state: ItemState, now: datetime, **known: Any) -> None:
    """Record what became of a started item, with what is `known` besides, such as its `cause`."""
    change_items(batch_id, [position], ItemState.STARTED, state=state, ended_at=now, **known)


def _locked(session: Session, batch_id: str) -> BatchRow:
    return session.get_one(BatchRow, batch_id, with_for_update=True)

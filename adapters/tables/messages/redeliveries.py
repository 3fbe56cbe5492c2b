"""Redeliveries in the database: their plans, their frozen lists, and how the messages of a list become due."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, insert, literal
from sqlmodel import Session, col, func, select, update

from adapters.database.listing import Order, listed
from adapters.database.transactions import insert_new, reading, writing
from domain.messages.attempts import TRIED_FOR
from models.messages.endpoint import EndpointRow
from models.messages.notification import AttemptTrigger, NotificationRow, NotificationState
from models.messages.redelivery import RedeliveryMessageRow, RedeliveryRow

_PAGE = 1000
_NEWEST_FIRST = Order(col(RedeliveryRow.created_at), col(RedeliveryRow.id), is_descending=True)
_WAITS = col(RedeliveryMessageRow.due_at).is_(None)


@dataclass(frozen=True, slots=True)
class Group:
    """Messages to an endpoint about one type of event, in one state, and how many they are.

    `is_filtered`: the endpoint's filter has left them out.
    """

    endpoint: str
    state: str
    event: str
    is_filtered: bool
    messages: int


def add(row: RedeliveryRow) -> None:
    """Record a plan."""
    with writing() as session:
        insert_new(session, RedeliveryRow, row.model_dump())


def find(redelivery_id: str) -> RedeliveryRow | None:
    with reading() as session:
        return session.get(RedeliveryRow, redelivery_id)


def page(cursor: str | None, limit: int) -> tuple[Sequence[RedeliveryRow], str | None]:
    """Return redeliveries, newest first, and the cursor of the next page.

    Raises:
        Refused: the cursor is invalid.
    """
    with reading() as session:
        return listed(session, select(RedeliveryRow), _NEWEST_FIRST, cursor, limit)


def groups(conditions: Sequence[ColumnElement[bool]], is_filtered: ColumnElement[bool]) -> list[Group]:
    """Count messages by endpoint, state, event, and whether a filter has left them out. One pass over the messages."""
    filtered = case((is_filtered, 1), else_=0)
    keys = [NotificationRow.endpoint_name, NotificationRow.state, NotificationRow.event, filtered]
    counted: Any = select(*keys, func.count()).where(*conditions).group_by(*keys)  # type: ignore[call-overload]
    with reading() as session:
        found = session.connection().execute(counted).all()
    return [Group(name, state, event, bool(left_out), number) for name, state, event, left_out, number in found]


def freeze(redelivery_id: str, conditions: Sequence[ColumnElement[bool]], by: str, now: datetime) -> bool:
    """Freeze the list of a plan. One INSERT of any length.

    Returns:
        False if it was confirmed before. Nothing is changed then.
    """
    position = func.row_number().over(order_by=(col(NotificationRow.planned_at), col(NotificationRow.message_id)))
    frozen: Any = select(literal(redelivery_id), position, NotificationRow.message_id, NotificationRow.state)
    columns = ["redelivery_id", "position", "message_id", "was"]
    with writing() as session:
        row = session.get_one(RedeliveryRow, redelivery_id, with_for_update=True)
        if row.confirmed_at:
            return False
        session.connection().execute(insert(RedeliveryMessageRow).from_select(columns, frozen.where(*conditions)))
        last = select(func.max(RedeliveryMessageRow.position)).where(
            RedeliveryMessageRow.redelivery_id == redelivery_id
        )
        row.planned = session.exec(last).one() or 0  # positions have no gaps
        row.confirmed_by, row.confirmed_at = by, now
        return True


def make_page_due(redelivery_id: str, now: datetime) -> int:
    """Make the next messages of a frozen list due, in one transaction, and return how many the list has gone on by.

    A message that has another state than in the list was delivered or redelivered since, and stays as it is. A message
    that another transaction changes right now is left for the next call: to wait for it could be a deadlock.
    """
    with writing() as session:
        row = session.get_one(RedeliveryRow, redelivery_id, with_for_update=True)
        its_id, position = col(RedeliveryMessageRow.redelivery_id), col(RedeliveryMessageRow.position)
        waiting = select(position, RedeliveryMessageRow.message_id, RedeliveryMessageRow.was)
        waiting = waiting.where(its_id == redelivery_id, _WAITS).order_by(position).limit(_PAGE)
        items = session.connection().execute(waiting).all()
        free = _states_of_free(session, [message_id for _, message_id, _ in items])
        by_state: defaultdict[str, list[str]] = defaultdict(list)
        for _, message_id, was in items:
            if free.get(message_id) == was:
                by_state[was].append(message_id)
        for was, message_ids in by_state.items():
            _make_due(session, message_ids, NotificationState(was), row.confirmed_by, now)
        done = [number for number, message_id, _ in items if message_id in free]
        marked = update(RedeliveryMessageRow).where(its_id == redelivery_id, position.in_(done))
        session.connection().execute(marked.values(due_at=now))
        return len(done)


def unfinished() -> list[str]:
    """Return the ids of confirmed redeliveries whose messages are not all due yet."""
    with reading() as session:
        return list(session.exec(select(RedeliveryMessageRow.redelivery_id).where(_WAITS).distinct()))


def probe_now(redelivery_id: str, now: datetime) -> None:
    """Let the failing endpoints of a list be tried at once: a person expects them to be mended."""
    theirs = (
        select(NotificationRow.endpoint_name)
        .join(RedeliveryMessageRow, col(RedeliveryMessageRow.message_id) == col(NotificationRow.message_id))
        .where(RedeliveryMessageRow.redelivery_id == redelivery_id)
        .distinct()
    )
    with reading() as session:
        names = list(session.exec(theirs))
    paused = (col(EndpointRow.name).in_(names), col(EndpointRow.paused_until) > now)
    with writing() as session:
        session.execute(update(EndpointRow).where(*paused).values(paused_until=now))


def progress(redelivery_id: str) -> dict[str, int]:
    """Return how many messages of a frozen list are in each state. Those that are not due yet count as pending."""
    state = case((_WAITS, literal(NotificationState.PENDING.value)), else_=col(NotificationRow.state))
    counted = (
        select(state, func.count())
        .select_from(RedeliveryMessageRow)
        .join(NotificationRow, col(NotificationRow.message_id) == col(RedeliveryMessageRow.message_id))
        .where(RedeliveryMessageRow.redelivery_id == redelivery_id)
        .group_by(state)
    )
    with reading() as session:
        return dict(session.exec(counted).all())


def _states_of_free(session: Session, message_ids: Collection[str]) -> dict[str, str]:
    """Return the states of the messages that no other transaction changes now. They are locked."""
    its_id = col(NotificationRow.message_id)
    found = select(NotificationRow.message_id, NotificationRow.state).where(its_id.in_(message_ids))
    return dict(session.exec(found.with_for_update(skip_locked=True)).all())


def _make_due(
    session: Session, message_ids: Collection[str], was: NotificationState, by: str | None, now: datetime
) -> None:
    forced = was is NotificationState.DELIVERED
    theirs = update(NotificationRow).where(col(NotificationRow.message_id).in_(message_ids))
    session.connection().execute(  # without the ORM, which would look for the rows in the session
        theirs.values(
            state=NotificationState.PENDING,
            skipped_why=None,
            values=None,
            next_attempt_at=now,
            expires_at=now + TRIED_FOR,
            tried_before=NotificationRow.attempts,
            next_trigger=AttemptTrigger.FORCED if forced else AttemptTrigger.MANUAL,
            next_by=by,
        )
    )

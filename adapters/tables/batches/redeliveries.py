"""What redeliveries read and write: messages by what a plan counts, how they become due, and what became of them."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case
from sqlmodel import Session, col, func, select, update

from adapters.database.noted import note
from adapters.database.transactions import read_all, reading, writing
from domain.messages.attempts import TRIED_FOR
from domain.words.catalogue import in_words
from models.messages.notification import AttemptTrigger, EndpointRow, NotificationRow, NotificationState
from models.runs.batch import BatchItemRow, BatchRow, ItemState, Skipped
from models.said import said_by

_PAGE = 1000
_BECAME = {
    NotificationState.DELIVERED.value: ItemState.COMPLETED,
    NotificationState.DEAD.value: ItemState.FAILED,
    NotificationState.SKIPPED.value: ItemState.SKIPPED,
}


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


def groups(conditions: Sequence[ColumnElement[bool]], is_filtered: ColumnElement[bool]) -> list[Group]:
    """Count messages by endpoint, state, event, and whether a filter has left them out. One pass over the messages."""
    filtered = case((is_filtered, 1), else_=0)
    keys = [NotificationRow.endpoint_name, NotificationRow.state, NotificationRow.event, filtered]
    counted: Any = select(*keys, func.count()).where(*conditions).group_by(*keys)  # type: ignore[call-overload]
    found = read_all(counted)
    return [Group(name, state, event, bool(left_out), number) for name, state, event, left_out, number in found]


def make_page_due(batch_id: str, by: str, now: datetime) -> int | None:
    """Make the next messages of a frozen list due, in one transaction.

    A message that has another state than in the list was delivered or redelivered since, and stays as it is. A message
    that another transaction changes right now is left for the next call: to wait for it could be a deadlock. With the
    last page, failing endpoints may be tried at once: a person expects them to be mended.

    Returns:
        How many messages the list has gone on by, None if it is at its end.
    """
    with writing() as session:
        session.get_one(BatchRow, batch_id, with_for_update=True)
        queued = (
            select(BatchItemRow, NotificationRow.message_id)
            .join(NotificationRow, col(NotificationRow.message_id) == col(BatchItemRow.subject), isouter=True)
            .where(BatchItemRow.state == ItemState.QUEUED, BatchItemRow.batch_id == batch_id)
        )
        found = session.exec(queued.order_by(col(BatchItemRow.position)).limit(_PAGE + 1)).all()
        if not found:
            return None
        items = found[:_PAGE]
        free = _states_of_free(session, [message_id for _, message_id in items if message_id])
        by_state: defaultdict[str, list[str]] = defaultdict(list)
        for each, message_id in items:
            if free.get(each.subject) == each.was:
                by_state[each.was].append(each.subject)
            if each.subject in free or message_id is None:
                each.state, each.started_at = ItemState.STARTED, now
        for was, message_ids in by_state.items():
            _make_due(session, message_ids, NotificationState(was), by, now)
        positions = [each.position for each, _ in items if each.state == ItemState.STARTED]
        _note(session, batch_id, positions)
        if len(found) == len(items):
            _probe_now(session, batch_id, now)
        return len(positions)


def settle(batch_id: str, now: datetime) -> tuple[int, int]:
    """Record the ends of messages that were made due, a page at a time.

    Returns:
        How many messages are on their way, and how many have ended.
    """
    on_way = (col(BatchItemRow.state) == ItemState.STARTED, col(BatchItemRow.batch_id) == batch_id)
    over = (
        select(BatchItemRow.position, NotificationRow.state, NotificationRow.skipped_why, NotificationRow.values)
        .join(NotificationRow, col(NotificationRow.message_id) == col(BatchItemRow.subject), isouter=True)
        .where(*on_way, col(NotificationRow.state).is_distinct_from(NotificationState.PENDING))
        .limit(_PAGE)
    )
    with reading() as session:
        started = session.exec(select(func.count()).select_from(BatchItemRow).where(*on_way)).one()
        ended = [_ended(batch_id, now, *each) for each in session.exec(over)]
    if ended:
        with writing() as session:
            session.execute(update(BatchItemRow), ended)
            _note(session, batch_id, [each["position"] for each in ended])
    return started - len(ended), len(ended)


def _note(session: Session, batch_id: str, positions: Collection[int]) -> None:
    note(session, BatchItemRow, col(BatchItemRow.batch_id) == batch_id, col(BatchItemRow.position).in_(positions))


def _ended(
    batch_id: str, now: datetime, position: int, state: str | None, why: str | None, values: dict[str, Any] | None
) -> dict[str, Any]:
    became = {"state": _BECAME[state] if state else ItemState.SKIPPED, "skipped": None if state else Skipped.GONE}
    told = in_words(sentence=said_by(values or {}, "skipped_why")) if why else {}
    return (
        {"batch_id": batch_id, "position": position, "sentence": None, "values": None, "ended_at": now} | became | told
    )


def _states_of_free(session: Session, message_ids: Collection[str]) -> dict[str, str]:
    """Return the states of the messages that no other transaction changes now. They are locked."""
    its_id = col(NotificationRow.message_id)
    free = select(its_id, NotificationRow.state).where(its_id.in_(message_ids))
    return dict(session.exec(free.with_for_update(skip_locked=True)).all())


def _make_due(session: Session, message_ids: Collection[str], was: NotificationState, by: str, now: datetime) -> None:
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


def _probe_now(session: Session, batch_id: str, now: datetime) -> None:
    theirs = (
        select(NotificationRow.endpoint_name)
        .join(BatchItemRow, col(BatchItemRow.subject) == col(NotificationRow.message_id))
        .where(BatchItemRow.batch_id == batch_id)
    )
    paused = (col(EndpointRow.name).in_(theirs), col(EndpointRow.paused_until) > now)
    session.execute(update(EndpointRow).where(*paused).values(paused_until=now))

"""Lists messages for people: filters, newest first, page by page; and one message with its attempts."""

from typing import Any

from sqlalchemy import ColumnElement, exists
from sqlalchemy.orm import aliased
from sqlmodel import col, select

from adapters.database.listing import Order, equal_to, listed
from adapters.database.transactions import reading
from adapters.tables.messages.notifications import IS_UNDELIVERED
from domain.messages.endpoints import shown_url
from models.errors import Refused
from models.messages.notification import EventRow, NotificationAttemptRow, NotificationRow, NotificationState
from models.views import messages as views
from services.sources import check_filter

_NEWEST_FIRST = Order(col(NotificationRow.planned_at), col(NotificationRow.message_id), is_descending=True)
_WITH_SOURCE = select(NotificationRow, EventRow.source).outerjoin(
    EventRow, col(EventRow.event_id) == col(NotificationRow.event_id)
)


def page(query: views.MessageQuery) -> views.MessagePage:
    """Return messages, newest first. Raises Refused if there is no such source, or the cursor is invalid."""
    with reading() as session:
        found = _WITH_SOURCE.where(*conditions_of(query))
        rows, cursor = listed(session, found, _NEWEST_FIRST, query.cursor, query.limit)
    if not rows:
        check_filter(query.source)
    return views.MessagePage(items=[views.MessageView(**_members(*row)) for row in rows], next=cursor)


def record(message_id: str) -> views.MessageRecord:
    """Return a message with its attempts. Raises Refused if it is unknown."""
    with reading() as session:
        found = session.exec(_WITH_SOURCE.where(NotificationRow.message_id == message_id)).first()
        theirs = select(NotificationAttemptRow).where(NotificationAttemptRow.message_id == message_id)
        attempts = session.exec(theirs.order_by(col(NotificationAttemptRow.attempt))).all()
    if found is None:
        detail = "no message has this id; `cellar endpoints messages` lists the messages"
        raise Refused("UNKNOWN_MESSAGE", detail, where="message_id", status=404)
    return views.MessageRecord(**_members(*found), history=[_attempt(each) for each in attempts])


def conditions_of(query: views.MessageFilter) -> list[ColumnElement[bool]]:
    """Return the conditions on `NotificationRow` that a filter means."""
    conditions = equal_to(NotificationRow, query, "event", "reference")
    if query.endpoint is not None:
        conditions.append(col(NotificationRow.endpoint_name) == query.endpoint)
    if query.message_id:
        conditions.append(col(NotificationRow.message_id).in_(query.message_id))
    if query.state:
        if set(query.state) <= {NotificationState.PENDING, NotificationState.DEAD}:
            conditions.append(IS_UNDELIVERED)
        conditions.append(col(NotificationRow.state).in_(query.state))
    about = aliased(EventRow)  # the list joins events too
    of_event = {"source": about.source, "template": about.template_id}
    asked = [col(column) == getattr(query, name) for name, column in of_event.items() if getattr(query, name)]
    if asked:
        conditions.append(exists().where(col(about.event_id) == col(NotificationRow.event_id), *asked))
    if query.since is not None:
        conditions.append(col(NotificationRow.planned_at) >= query.since)
    if query.until is not None:
        conditions.append(col(NotificationRow.planned_at) < query.until)
    return conditions


def _members(row: NotificationRow, source: str | None) -> dict[str, Any]:
    return row.model_dump() | {"endpoint": row.endpoint_name, "reference": row.reference or None, "source": source}


def _attempt(row: NotificationAttemptRow) -> views.AttemptView:
    members = row.model_dump() | {"number": row.attempt, "started_at": row.attempted_at}
    return views.AttemptView.model_validate(members | {"url": shown_url(row.url) if row.url else None})

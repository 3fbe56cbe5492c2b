"""Notifications in the database: the messages about events."""

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import ColumnElement, literal_column
from sqlmodel import Session, col, exists, func, select

from adapters.database.noted import note
from adapters.database.transactions import insert_new, read_all, read_among, read_row, reading, writing
from domain.words.catalogue import in_words
from models.messages.notification import EventRow, NotificationAttemptRow, NotificationRow, NotificationState
from models.runs.receipt import ReceiptRow
from models.said import Sentence
from models.views.parameters import Dismissal

IS_UNDELIVERED: ColumnElement[bool] = col(NotificationRow.state).in_(
    [literal_column(f"'{each}'") for each in (NotificationState.PENDING, NotificationState.DEAD)]
)
IS_SKIPPED: ColumnElement[bool] = col(NotificationRow.state) == literal_column(f"'{NotificationState.SKIPPED}'")
"""With literals, as indexes on these rows have them: a parameter would not use one."""
_SETTLED = (NotificationState.DELIVERED, NotificationState.SKIPPED)


def plan(event: EventRow, messages: Iterable[NotificationRow]) -> None:
    """Record an event and its messages. Those that are known stay unchanged."""
    with writing() as session:
        plan_within(session, event, messages)


def plan_within(session: Session, event: EventRow, messages: Iterable[NotificationRow]) -> None:
    """Do as `plan`, in the caller's transaction."""
    insert_new(session, EventRow, event.model_dump())
    for message in messages:
        insert_new(session, NotificationRow, message.model_dump())
    note(session, EventRow, col(EventRow.event_id) == event.event_id, _is_of_no_receipt(EventRow.receipt_id))
    note_beside(session, col(NotificationRow.event_id) == event.event_id)


def note_beside(session: Session, *which: ColumnElement[bool]) -> None:
    """Note messages with their attempts, but those about receipts, which the histories of receipts have."""
    these = (*which, _is_of_no_receipt(NotificationRow.receipt_id))
    message_ids = select(NotificationRow.message_id).where(*these)
    note(session, NotificationRow, *these)
    note(session, NotificationAttemptRow, col(NotificationAttemptRow.message_id).in_(message_ids))


def _is_of_no_receipt(receipt_id: str | None) -> ColumnElement[bool]:
    """Return a condition that asks the index: of NOT IN, Postgres reads all receipts."""
    return ~exists().where(col(ReceiptRow.receipt_id) == receipt_id)


def get(message_id: str) -> NotificationRow:
    with reading() as session:
        return session.get_one(NotificationRow, message_id)


def find(message_id: str) -> NotificationRow | None:
    """Return a message, None if it is gone: its archive was erased meanwhile."""
    return read_row(NotificationRow, message_id)


def undelivered(receipt_id: str) -> list[str]:
    """Return the ids of the messages about a receipt that are to be delivered, or were not."""
    return read_all(
        select(NotificationRow.message_id)
        .where(NotificationRow.receipt_id == receipt_id, col(NotificationRow.state).not_in(_SETTLED))
        .order_by(NotificationRow.message_id)
    )


def with_pending(receipt_ids: Iterable[str]) -> set[str]:
    """Return those of the receipts about which a message waits."""
    pending = select(NotificationRow.receipt_id).where(NotificationRow.state == NotificationState.PENDING).distinct()
    return set(read_among(col(NotificationRow.receipt_id), receipt_ids, pending))


def pending_by_endpoint() -> dict[str, int]:
    """Return the number of messages that wait, by the name of their endpoint."""
    pending = select(NotificationRow.endpoint_name, func.count()).where(
        IS_UNDELIVERED, NotificationRow.state == NotificationState.PENDING
    )
    return dict(read_all(pending.group_by(NotificationRow.endpoint_name)))


def of_receipt(receipt_id: str) -> list[NotificationRow]:
    found = select(NotificationRow).where(NotificationRow.receipt_id == receipt_id)
    return read_all(found.order_by(NotificationRow.message_id))


def dismiss(message_ids: Collection[str], dismissal: Dismissal, now: datetime) -> list[NotificationRow]:
    """Skip messages that were given up, for a person, and return them. What the rows said before stays in them."""
    theirs = col(NotificationRow.message_id).in_(message_ids), NotificationRow.state == NotificationState.DEAD
    told = in_words(skipped_why=Sentence.message_dismissed(by=dismissal.by, why=dismissal.why))
    with writing() as session:
        rows = session.exec(select(NotificationRow).where(*theirs).with_for_update()).all()
        for row in rows:
            before = {"skipped_why": row.skipped_why, "values": row.values}
            of_person = {"by": dismissal.by, "at": now.isoformat(), "before": before}
            row.state, row.skipped_why = NotificationState.SKIPPED, told["skipped_why"]
            row.values = told["values"] | {"dismissed": of_person}
        note_beside(session, col(NotificationRow.message_id).in_([each.message_id for each in rows]))
        return list(rows)


def withdraw(by: str, at: datetime, now: datetime) -> list[NotificationRow]:
    """Take back what a person dismissed at a moment, and return the messages. They are given up as before."""
    its, dismissed_at = col(NotificationRow.message_id), col(NotificationRow.values)[("dismissed", "at")].as_string()
    theirs = {"by": by, "at": at.isoformat()}
    with reading() as session:  # it reads every skipped message, and no writer waits for it
        found = session.exec(select(its).where(IS_SKIPPED, dismissed_at == theirs["at"])).all()
    with writing() as session:
        rows = session.exec(select(NotificationRow).where(its.in_(found), IS_SKIPPED).with_for_update()).all()
        opened = [row for row in rows if theirs.items() <= (row.values or {}).get("dismissed", {}).items()]
        for row in opened:
            before = (row.values or {})["dismissed"]["before"]
            withdrawn = {"withdrawn": {"by": by, "at": now.isoformat(), "why": row.skipped_why}}
            row.state, row.skipped_why = NotificationState.DEAD, before["skipped_why"]
            row.values = (before["values"] or {}) | withdrawn
        note_beside(session, its.in_([each.message_id for each in opened]))
        return opened

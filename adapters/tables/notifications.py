"""Notifications in the database: the messages to deliver, and every attempt."""

from collections.abc import Iterable
from datetime import datetime

from sqlmodel import col, func, select

from adapters.database.transactions import insert_new, reading, writing
from models.runs.notification import NotificationAttemptRow, NotificationRow, NotificationState


def plan(notifications: Iterable[NotificationRow]) -> None:
    """Record new notifications as pending. Known notifications stay unchanged."""
    with writing() as session:
        for notification in notifications:
            insert_new(session, NotificationRow, notification.model_dump())


def get(message_id: str) -> NotificationRow:
    with reading() as session:
        return session.get_one(NotificationRow, message_id)


def undelivered(receipt_id: str) -> list[str]:
    """Return the ids of the messages about a receipt that are not delivered."""
    with reading() as session:
        return list(
            session.exec(
                select(NotificationRow.message_id)
                .where(NotificationRow.receipt_id == receipt_id, NotificationRow.state != NotificationState.DELIVERED)
                .order_by(NotificationRow.message_id)
            )
        )


def of_receipt(receipt_id: str) -> list[NotificationRow]:
    with reading() as session:
        found = select(NotificationRow).where(NotificationRow.receipt_id == receipt_id)
        return list(session.exec(found.order_by(NotificationRow.message_id)))


def record_attempt(
    message_id: str, state: NotificationState, now: datetime, *, status_code: int | None, error: str | None
) -> None:
    """Record an attempt and its outcome. A delivered message stays delivered.

    Two attempts may end at once, and the slower may have failed. Each locks the notification's row in turn, so each has
    a number of its own.
    """
    with writing() as session:
        notification = session.get_one(NotificationRow, message_id, with_for_update=True)
        attempts = select(func.count()).where(col(NotificationAttemptRow.message_id) == message_id)
        number = 1 + session.exec(attempts).one()
        session.add(
            NotificationAttemptRow(
                message_id=message_id, attempt=number, attempted_at=now, status_code=status_code, error=error
            )
        )
        if notification.state != NotificationState.DELIVERED:
            notification.state = state

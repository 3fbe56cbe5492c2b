"""Completes the rows of histories that an earlier build has written, before they are restored."""

from collections import Counter
from datetime import datetime
from typing import Any

from domain.messages.attempts import TRIED_FOR
from domain.messages.endpoints import declared_name
from models.messages.notification import NotificationAttemptRow, NotificationRow, NotificationState

Rows = dict[str, list[dict[str, Any]]]


def completed(rows: Rows, now: datetime) -> Rows:
    """Return rows whose messages name their endpoint, count their attempts, and are due if they are pending. Pure.

    Messages of earlier builds went to declared endpoints. Revision 0007 does the same to their rows in the database.
    """
    messages, attempts = (rows.get(str(table.__tablename__), []) for table in (NotificationRow, NotificationAttemptRow))
    if all("endpoint_name" in each for each in messages):
        return rows
    made = Counter(each["message_id"] for each in attempts)
    found = [each if "endpoint_name" in each else _completed(each, made[each["message_id"]], now) for each in messages]
    return rows | {str(NotificationRow.__tablename__): found}


def _completed(message: dict[str, Any], attempts: int, now: datetime) -> dict[str, Any]:
    known = {"endpoint_name": declared_name(message["endpoint"]), "attempts": attempts}
    due = {"next_attempt_at": now, "expires_at": now + TRIED_FOR}
    return message | known | (due if message["state"] == NotificationState.PENDING else {})

"""Makes attempts at messages to endpoints, and records each attempt."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus

import structlog

from adapters.observation.tracing import span
from adapters.peers import downstream
from adapters.platform.cancellation import in_thread
from adapters.settings.settings import settings
from adapters.tables import notifications, refused
from domain.messages.report_bodies import MOST_REFUSED_REPORTED, delivery_refused
from models.errors import Refused, System, Transient
from models.messages.event import EventType
from models.messages.notification import NotificationRow, NotificationState
from services.messages.archive_events import completed

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Attempt:
    """The result of an attempt. `status_code` is None if no answer came; `error` then says why."""

    state: NotificationState
    status_code: int | None = None
    error: str | None = None


async def send(message_id: str) -> Attempt:
    """Make one attempt at a message about an archive or about refused deliveries, and record the attempt.

    A message that another attempt has delivered since is not sent again.

    Raises:
        Transient: the database does not answer.
    """
    notification = await in_thread(notifications.get, message_id)
    if notification.state == NotificationState.DELIVERED:
        return Attempt(NotificationState.DELIVERED, error="another attempt has delivered it")
    body = await in_thread(_body, notification)
    made = await attempt(notification.endpoint, message_id, body)
    record = partial(notifications.record_attempt, status_code=made.status_code, error=made.error)
    await in_thread(record, message_id, made.state, datetime.now(UTC))
    return made


async def attempt(endpoint: str, message_id: str, body: bytes) -> Attempt:
    """Send a message to one endpoint, once."""
    began_s = time.monotonic()
    with span("notification", message_id=message_id) as noted:
        made = await _attempt(endpoint, message_id, body)
        noted.note(state=made.state, status_code=made.status_code or 0)
    log.info(
        "message sent",
        message_id=message_id,
        outcome=made.state,
        status_code=made.status_code,
        why=made.error,
        size_bytes=len(body),
        duration_s=round(time.monotonic() - began_s, 3),
    )
    return made


async def _attempt(endpoint: str, message_id: str, body: bytes) -> Attempt:
    try:
        status_code = await downstream.post(endpoint, message_id, body, datetime.now(UTC))
    except Transient as error:
        return Attempt(NotificationState.PENDING, error=str(error))
    except Refused as error:
        return Attempt(NotificationState.DEAD, error=error.detail)
    if 200 <= status_code < 300:
        return Attempt(NotificationState.DELIVERED, status_code)
    return Attempt(NotificationState.DEAD if status_code == HTTPStatus.GONE else NotificationState.PENDING, status_code)


def check_confirmed(message_id: str, made: Attempt) -> None:
    """Raise unless the endpoint has confirmed the message.

    Raises:
        Refused: the endpoint may not be called, or is gone for good.
        Transient: the endpoint does not confirm now.
    """
    if made.state is NotificationState.PENDING:
        why = made.error or f"the endpoint answered {made.status_code}"
        summary = f"an endpoint has not confirmed its message: {why}"
        raise Transient(f"message {message_id} is not confirmed: {why}", system=System.ENDPOINT, summary=summary)
    if made.state is NotificationState.DEAD:
        raise Refused("NOT_DELIVERABLE", f"message {message_id}: {made.error or 'the endpoint is gone for good'}")


def _body(notification: NotificationRow) -> bytes:
    if notification.event == EventType.DELIVERY_REFUSED:
        return _refused(notification)
    event = notifications.event_of(notification)
    if event:
        return event.body.encode()
    return completed(notification.reference, notification.receipt_id, notification.planned_at).body


def _refused(notification: NotificationRow) -> bytes:
    group = refused.group(notification.receipt_id, MOST_REFUSED_REPORTED)
    url = f"{settings().receiver_url}/api/refused"
    return delivery_refused(group.newest, group.by_code, first_at=group.first_at, url=url, at=notification.planned_at)

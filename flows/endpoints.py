"""Announces the events that concern no single archive, and makes the first attempt at each of their messages."""

import asyncio

from prefect import get_run_logger, task

from adapters.platform.cancellation import in_thread
from adapters.settings.settings import settings
from adapters.tables.messages import notifications
from domain.messages.endpoints import message_id_of
from flows.execution.attempts import attempt_at
from flows.execution.events import emit
from flows.execution.retries import RETRIED
from models.errors import Transient
from models.messages.event import Event
from services.messages.attempts import check_confirmed, send, send_unrecorded
from services.messages.events import announce


async def notify_endpoints(event: Event) -> None:
    """Announce an event, and notify all endpoints in parallel. An endpoint that is down never fails the flow.

    While the database is away, the endpoints that settings declare are notified without a record: the event may be
    that the database is away.
    """
    emit([event])
    try:
        await in_thread(announce, event)
        message_ids = await in_thread(notifications.undelivered, event.subject)
        notified = [notify_endpoint(each) for each in message_ids]
    except Transient as error:
        get_run_logger().error("The event %s is not recorded: %s", event.type, error)
        notified = [notify_unrecorded(url, event) for url in settings().notify_urls]
    await asyncio.gather(*notified, return_exceptions=True)


@task(name="notify-endpoint", **RETRIED)
@attempt_at("notify-endpoint")
async def notify_endpoint(message_id: str) -> None:
    """Notify one endpoint. Raises as `check_confirmed` does."""
    check_confirmed(message_id, await send(message_id))


async def notify_unrecorded(url: str, event: Event) -> None:
    """Make one attempt at a message that is not recorded. It has the id that it would have had."""
    await send_unrecorded(url, message_id_of(event.subject, url, event.type), event.body)

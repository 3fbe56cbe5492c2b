"""Reports refused deliveries to the endpoints, many in one message, so that a flood is one message."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from uuid import uuid4

from adapters.platform.cancellation import in_thread
from adapters.tables import refused
from domain.messages.notification import message_id_of
from models.messages.endpoint import EndpointRow
from models.messages.event import EventType
from models.messages.notification import NotificationRow, NotificationState
from services.messages.attempts import Attempt, send
from services.messages.planning import known_endpoints

_TRIED_FOR = timedelta(days=3)
_MOST_AT_ONCE = 5
"""The most messages to an endpoint in one report: an endpoint that is down must not delay the messages to another."""


async def report_refused(now: datetime) -> list[Attempt]:
    """Report the refused deliveries that no message has reported, and try again the messages that are not confirmed.

    Each message gets one attempt. The next call tries it again, for three days, with the same message id and body.
    Without endpoints nothing happens, and the deliveries wait for the first endpoint.

    Raises:
        Transient: the database does not answer.
    """
    endpoints = [each for each in await in_thread(known_endpoints) if not each.disabled_at]
    if not endpoints:
        return []
    group = uuid4().hex
    await in_thread(refused.report, group, now, [message_to(endpoint, group, now) for endpoint in endpoints])
    pending = await in_thread(refused.pending, now - _TRIED_FOR)
    return list(
        await asyncio.gather(*(send(each.message_id) for each in _due(pending, [each.url for each in endpoints])))
    )


def _due(pending: Iterable[NotificationRow], urls: Iterable[str]) -> Iterator[NotificationRow]:
    """Yield the oldest messages to each endpoint that is not removed or disabled."""
    left = defaultdict[str, int](int, dict.fromkeys(urls, _MOST_AT_ONCE))
    for message in pending:
        if left[message.endpoint] > 0:
            left[message.endpoint] -= 1
            yield message


def message_to(endpoint: EndpointRow, group: str, now: datetime) -> NotificationRow:
    """Return the message about a group of refused deliveries to an endpoint."""
    return NotificationRow(
        message_id=message_id_of(group, endpoint.identity, EventType.DELIVERY_REFUSED),
        reference="",
        receipt_id=group,
        endpoint=endpoint.url,
        endpoint_name=endpoint.name,
        event=EventType.DELIVERY_REFUSED,
        state=NotificationState.PENDING,
        planned_at=now,
    )

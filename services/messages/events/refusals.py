"""Announces refused deliveries, many in one event, so that a flood is one message."""

from datetime import datetime, timedelta
from uuid import uuid4

from adapters.tables.runs import refused
from models.messages.event import Event
from services.messages.events.planning import announce, known_endpoints
from services.messages.events.report_events import delivery_refused

_ANNOUNCED_WITHIN = timedelta(days=3)


def announce_refused(now: datetime) -> list[Event]:
    """Announce the refused deliveries that no event tells. Return the events.

    The deliveries are grouped first, and a group without an event is announced by the next call. Without endpoints
    nothing happens, and the deliveries wait for the first endpoint.

    Raises:
        Transient: the database does not answer.
    """
    if all(each.disabled_at for each in known_endpoints()):
        return []
    refused.put_into_group(uuid4().hex, now)
    events = [delivery_refused(group, at) for group, at in refused.groups_without_event(now - _ANNOUNCED_WITHIN)]
    for each in events:
        announce(each)
    return events

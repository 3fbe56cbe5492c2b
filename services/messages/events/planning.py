"""Plans messages: each event becomes a message to each endpoint, or a record of why the endpoint does not hear it."""

from datetime import UTC, datetime

from adapters.settings.settings import settings
from adapters.tables.messages import endpoints, notifications
from domain.messages.endpoints import declared_name, is_for, why_skipped
from domain.messages.notification import event_id_of, message_id_of
from domain.messages.retrying import TRIED_FOR, first_attempt_at
from models.messages.endpoint import EndpointRow
from models.messages.event import Event, EventRow
from models.messages.notification import NotificationRow, NotificationState


def announce(event: Event) -> None:
    """Plan the messages about an event. A repetition changes nothing: the same event has the same messages.

    Without an endpoint that it is for, nothing is kept.

    Raises:
        Transient: the database does not answer.
    """
    hearing = [each for each in known_endpoints() if is_for(each, event)]
    if hearing:
        notifications.plan(event_row(event), [message_to(each, event) for each in hearing])


def known_endpoints() -> list[EndpointRow]:
    """Return the endpoints, disabled ones too. `CELLAR_NOTIFY_URLS` may have changed since the last call.

    Raises:
        Transient: the database does not answer.
    """
    declared = {declared_name(url): url for url in settings().notify_urls}
    known = endpoints.known()
    if {each.name for each in known if each.is_declared} != declared.keys():
        endpoints.declare(declared, datetime.now(UTC))
        known = endpoints.known()
    return known


def event_row(event: Event) -> EventRow:
    return EventRow(
        event_id=event_id_of(event.subject, event.type),
        type=event.type,
        reference=event.reference,
        receipt_id=event.subject,
        source=event.source,
        template_id=event.template_id,
        labels=dict(event.labels),
        at=event.at,
        body=event.body.decode(),
    )


def message_to(endpoint: EndpointRow, event: Event) -> NotificationRow:
    """Return the message about an event to an endpoint: due at once, or skipped."""
    skipped_why = why_skipped(endpoint, event)
    return NotificationRow(
        message_id=message_id_of(event.subject, endpoint.identity, event.type),
        reference=event.reference,
        receipt_id=event.subject,
        endpoint=endpoint.url,
        endpoint_name=endpoint.name,
        event=event.type,
        event_id=event_id_of(event.subject, event.type),
        state=NotificationState.SKIPPED if skipped_why else NotificationState.PENDING,
        skipped_why=skipped_why,
        planned_at=event.at,
        next_attempt_at=None if skipped_why else first_attempt_at(event),
        expires_at=event.at + TRIED_FOR,
    )

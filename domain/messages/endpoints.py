"""Decides which events an endpoint hears, and names the endpoints that settings declare."""

import hashlib

from models.messages.endpoint import EndpointRow
from models.messages.event import Event, EventType


def declared_name(url: str) -> str:
    """Return the name of an endpoint that `CELLAR_NOTIFY_URLS` declares. It shows nothing of the URL. Pure."""
    return f"settings-{hashlib.sha256(url.encode()).hexdigest()[:8]}"


BY_FILTER = "the endpoint's filter by "
"""Begins the reason of a message that a filter leaves out."""
_SAID_BY_COMPLETED = {EventType.ARCHIVE_CHANGED, EventType.ARCHIVE_ATTENTION}


def is_for(endpoint: EndpointRow, event: Event) -> bool:
    """Return whether an event is for an endpoint at all. Pure.

    A declared endpoint hears every type but two: archive.completed has a version and says whether somebody should look
    at the archive. A declared endpoint cannot filter, and was often built when a version was one message.
    """
    return not (endpoint.is_declared and event.type in _SAID_BY_COMPLETED)


def why_skipped(endpoint: EndpointRow, event: Event) -> str | None:
    """Return why an endpoint does not hear an event: the disabling or the filter; None if it hears the event. Pure."""
    if endpoint.disabled_at:
        return why_disabled(endpoint)
    refusing = _refusing(endpoint, event)
    return f"{BY_FILTER}{refusing}" if refusing else None


def why_disabled(endpoint: EndpointRow) -> str:
    """Return why a disabled endpoint gets no messages. Pure."""
    return f"the endpoint is disabled: {endpoint.disabled_why}"


def _refusing(wanted: EndpointRow, event: Event) -> str | None:
    if wanted.events and event.type not in wanted.events:
        return "event"
    if wanted.sources and event.source not in wanted.sources:
        return "source"
    if wanted.templates and event.template_id not in wanted.templates:
        return "template"
    return None if wanted.labels.items() <= event.labels else "label"

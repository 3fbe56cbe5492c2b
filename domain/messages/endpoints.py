"""Decides which events an endpoint hears and under which ids, and shows its URL without secrets."""

import hashlib
import re
from urllib.parse import parse_qsl, unquote, urlsplit

from models.messages.notification import EndpointRow, Event, EventType
from models.said import Said, Sentence, said_by


def declared_name(url: str) -> str:
    """Return the name of an endpoint that `CELLAR_NOTIFY_URLS` declares. It shows nothing of the URL. Pure."""
    return f"settings-{hashlib.sha256(url.encode()).hexdigest()[:8]}"


_FILTERS = (Sentence.unwanted_event, Sentence.unwanted_source, Sentence.unwanted_template, Sentence.unwanted_label)
BY_FILTER = tuple(each.english for each in _FILTERS)
"""The reasons of a message that a filter leaves out."""
_SAID_BY_COMPLETED = {EventType.ARCHIVE_CHANGED, EventType.ARCHIVE_ATTENTION}


def is_for(endpoint: EndpointRow, event: Event) -> bool:
    """Return whether an event is for an endpoint at all. Pure.

    A declared endpoint hears every type but two: archive.completed has a version and says whether somebody should look
    at the archive. A declared endpoint cannot filter, and was often built when a version was one message.
    """
    return not (endpoint.is_declared and event.type in _SAID_BY_COMPLETED)


def why_skipped(endpoint: EndpointRow, event: Event) -> Said | None:
    """Return why an endpoint does not hear an event: the disabling or the filter; None if it hears the event. Pure."""
    if endpoint.disabled_at:
        return why_disabled(endpoint)
    refusing = _refusing(endpoint, event)
    return refusing() if refusing else None


def why_disabled(endpoint: EndpointRow) -> Said:
    """Return why a disabled endpoint gets no messages. Pure."""
    return Sentence.endpoint_disabled(why=said_by(endpoint.values or {}, "disabled_why"))


def _refusing(wanted: EndpointRow, event: Event) -> Sentence | None:
    if wanted.events and event.type not in wanted.events:
        return Sentence.unwanted_event
    if wanted.sources and event.source not in wanted.sources:
        return Sentence.unwanted_source
    if wanted.templates and event.template_id not in wanted.templates:
        return Sentence.unwanted_template
    return None if wanted.labels.items() <= event.labels else Sentence.unwanted_label


def message_id_of(subject: str, endpoint: str, event: str = EventType.ARCHIVE_COMPLETED) -> str:
    """Return the message id of the subject of an event, such as a receipt or a group, and an endpoint. Pure.

    It never changes, so receivers can ignore repetitions.
    """
    return f"msg_{_digest(event, subject, endpoint)}"


def event_id_of(subject: str, event: str) -> str:
    """Return the id of an event. It never changes. Pure."""
    return f"evt_{_digest(event, subject, '')}"


def subject_of(*parts: str) -> str:
    """Return the subject of an event that concerns no receipt, such as the run that found it. Pure."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


_MASK = "…"
_PLAIN = re.compile(r"[a-z]{1,15}|v\d{1,2}|[a-z]{1,15}([-_.][a-z]{1,15}){1,3}")


def shown_url(url: str) -> str:
    """Return a URL for people: user, password, values of the query and every part of the path that may be a token are
    masked. A part of plain words is shown. Pure.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return _MASK
    if parts.scheme not in ("http", "https") or not host:
        return _MASK
    netloc = f"[{host}]" if ":" in host else host
    path = "/".join(each if not each or _PLAIN.fullmatch(each) else _MASK for each in parts.path.split("/"))
    names = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    query = "&".join(f"{name if _PLAIN.fullmatch(name) else _MASK}={_MASK}" for name in names)
    user = f"{_MASK}@" if "@" in parts.netloc else ""
    return f"{parts.scheme}://{user}{netloc}{f':{port}' if port else ''}{path}{f'?{query}' if query else ''}"


def tokens_of(url: str) -> list[str]:
    """Return what `shown_url` masks of a URL, each as it is written and as it is meant. Pure."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return []
    found = [parts.username or "", parts.password or ""]
    found += [each for each in parts.path.split("/") if not _PLAIN.fullmatch(each)]
    found += [each.partition("=")[2] for each in parts.query.split("&")]
    return [token for each in found if each for token in (each, unquote(each))]

"""Decides which events an endpoint hears and under which ids, and shows its URL without secrets."""

import hashlib
import re
from urllib.parse import parse_qsl, unquote, urlsplit

from models.messages.notification import OF_SETTINGS, EndpointRow, Event, EventType
from models.said import Said, Sentence, said_by


def name_of(url: str) -> str:
    """Return the name of the endpoint that a URL of `CELLAR_NOTIFY_URLS` makes. It shows nothing of the URL. Pure."""
    return f"{OF_SETTINGS}{hashlib.sha256(url.encode()).hexdigest()[:8]}"


BY_FILTER = (Sentence.unwanted_event.english, Sentence.unwanted_source.english)
"""The reasons of a message that a filter leaves out."""
_NOT_OF_SETTINGS = {EventType.ARCHIVE_CHANGED, EventType.ARCHIVE_ATTENTION, EventType.ENDPOINT_TEST}
EVENTS_OF_SETTINGS = [each.value for each in EventType if each not in _NOT_OF_SETTINGS]
"""The events of an endpoint that `CELLAR_NOTIFY_URLS` makes. Of a version it is one: archive.completed has the number,
and says whether somebody should look at the archive.
"""


def why_skipped(endpoint: EndpointRow, event: Event) -> Said | None:
    """Return why an endpoint does not hear an event: the disabling or the filter; None if it hears the event. Pure."""
    if endpoint.disabled_at:
        return why_disabled(endpoint)
    if endpoint.events and event.type not in endpoint.events:
        return Sentence.unwanted_event()
    if endpoint.sources and event.source not in endpoint.sources:
        return Sentence.unwanted_source()
    return None


def why_disabled(endpoint: EndpointRow) -> Said:
    """Return why a disabled endpoint gets no messages. Pure."""
    return Sentence.endpoint_disabled(why=said_by(endpoint.values or {}, "disabled_why"))


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

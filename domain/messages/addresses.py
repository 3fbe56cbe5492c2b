"""Shows the URL of an endpoint without its secrets."""

import re
from urllib.parse import parse_qsl, unquote, urlsplit

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
    query = "&".join(f"{name if _PLAIN.fullmatch(name) else _MASK}={_MASK}" for name, _ in _members(parts.query))
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


def _members(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, keep_blank_values=True)

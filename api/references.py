"""References in paths: any text, percent-encoded, slashes too, except for dot segments.

`.` and `..` between slashes, raw or encoded, mean another path to browsers and to many proxies: a proxy that decodes
`/api/archives/..%2f..%2fwebhooks` takes it for a path of the webhook. So no honest client sends them, and the receiver
refuses them, whatever stands in front of it. The price: an archive whose reference has such a segment is acknowledged
and kept like any other, and is found by the filter `reference` and by the command line, but no path leads to it.
"""

import re
from http import HTTPStatus
from typing import Annotated
from urllib.parse import unquote, unquote_to_bytes

from fastapi.routing import APIRoute
from pydantic import AfterValidator
from starlette.routing import Match
from starlette.types import Scope

from models.errors import Refused

_DOT_SEGMENT = re.compile(rb"[/\\]\.\.?(?:[/\\;]|$)")  # some servers cut a segment off at `;`
_MOST_DECODINGS = 3  # by proxies in a row


class RouteAsSent(APIRoute):
    """Matches the path as it was sent, so that `%2F` within a reference does not separate parts of the path."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return super().matches({**scope, "path": scope["raw_path"].decode()})


def _decoded(sent: str) -> str:
    reference = unquote(sent)
    if "\0" in reference:  # Postgres refuses NUL in text
        raise ValueError("a reference must not contain NUL")
    return reference


Reference = Annotated[str, AfterValidator(_decoded)]


def check_path(sent: bytes) -> None:
    """Check that nobody in front of the receiver can have read a path, as it was sent, as another path.

    Raises Refused if it is ambiguous, or begins with two slashes.
    """
    if sent.startswith(b"//") or is_ambiguous(sent):
        detail = (
            "expected a path that begins with one slash, without backslashes and without the segments `.` and `..`, "
            "encoded or not; GET /api/archives?reference= finds references that have such segments"
        )
        raise Refused("BAD_PATH", detail, where="path", status=HTTPStatus.BAD_REQUEST)


def is_ambiguous(sent: bytes) -> bool:
    """Return whether a path has a backslash, or a dot segment, if need be once it is decoded."""
    decoded = [sent]
    while b"%" in decoded[-1] and len(decoded) <= _MOST_DECODINGS:
        decoded.append(unquote_to_bytes(decoded[-1]))
    return b"\\" in sent or any(map(_DOT_SEGMENT.search, decoded))

"""References in paths: any text, percent-encoded, slashes too."""

from typing import Annotated
from urllib.parse import unquote

from fastapi.routing import APIRoute
from pydantic import AfterValidator
from starlette.routing import Match
from starlette.types import Scope


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

"""Refuses query parameters that a route does not have, so that a misspelled filter never finds everything."""

from collections import Counter
from difflib import get_close_matches
from typing import Any

from fastapi import Request

from models.errors import Refused

_NAMED_CHARACTERS = 60


async def check_parameters(request: Request) -> None:
    """Check a request's query parameters against those that the OpenAPI schema describes for its route.

    Raises:
        Refused: a parameter is unknown, or is repeated and takes one value.
    """
    known = _described(request)
    for name, times in Counter(name for name, _ in request.query_params.multi_items()).items():
        where = f"query.{name[:_NAMED_CHARACTERS]}"
        if name not in known:
            raise Refused("BAD_PARAMETER", f"unknown parameter; {_hint(name, list(known))}", where=where)
        if times > 1 and not _is_repeatable(known[name]):
            raise Refused("BAD_PARAMETER", f"expected the parameter once, got it {times} times", where=where)


def _described(request: Request) -> dict[str, Any]:
    path = request.app.openapi()["paths"][request.scope["route"].path_format]
    parameters = path[request.method.lower()].get("parameters", [])
    return {each["name"]: each["schema"] for each in parameters if each["in"] == "query"}


def _is_repeatable(schema: dict[str, Any]) -> bool:
    return schema.get("type") == "array"


def _hint(name: str, known: list[str]) -> str:
    if not known:
        return "this route has no query parameters"
    near = get_close_matches(name.lower(), known, n=1)
    return f"did you mean {near[0]}?" if near else f"expected one of {', '.join(known)}"

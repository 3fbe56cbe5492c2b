"""What all routes of the JSON API share: how they say what they do, and which query parameters they take."""

from collections import Counter
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from fastapi import Request

from api.access import acts
from api.errors import failures
from models.access import Action
from models.errors import Refused

_NAMED_CHARACTERS = 60
NAMES_NOTHING = {"BAD_PARAMETER": "a parameter names what is not there: a source, an endpoint, a facet, a value."}
OF_A_LIST = {404: NAMES_NOTHING}
"""The failures of the lists that name a source, an endpoint or a facet, beside those of all routes."""


def does(
    action: Action,
    summary: str,
    answer: str = "The page.",
    codes: Mapping[int, Mapping[str, str]] | None = None,
    content: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what a route says of itself: its action, its summary, its answer, and the codes of its own failures.

    `content` describes an answer that is no JSON.
    """
    responses = failures(codes or {}) | ({200: dict(content)} if content else {})
    described = {"summary": summary, "response_description": answer, "responses": responses}
    return described | {"dependencies": [acts(action)]}


async def check_parameters(request: Request) -> None:
    """Check a request's query parameters against those that the OpenAPI schema describes for its route: a misspelled
    filter must not find everything.

    Raises Refused if a parameter is unknown, or is repeated and takes one value.
    """
    known = _described(request)
    for name, times in Counter(name for name, _ in request.query_params.multi_items()).items():
        where = f"query.{name[:_NAMED_CHARACTERS]}"
        if name not in known:
            raise Refused("BAD_PARAMETER", f"unknown parameter; {_hint(name, list(known))}", where=where)
        if times > 1 and known[name].get("type") != "array":
            raise Refused("BAD_PARAMETER", f"expected the parameter once, got it {times} times", where=where)


def _described(request: Request) -> dict[str, Any]:
    path = request.app.openapi()["paths"][request.scope["route"].path_format]
    parameters = path[request.method.lower()].get("parameters", [])
    return {each["name"]: each["schema"] for each in parameters if each["in"] == "query"}


def _hint(name: str, known: list[str]) -> str:
    if not known:
        return "this route has no query parameters"
    near = get_close_matches(name.lower(), known, n=1)
    return f"did you mean {near[0]}?" if near else f"expected one of {', '.join(known)}"

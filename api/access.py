"""Says what each route does, and lets a caller do it whose role and scope permit: the rules are in `domain/access.py`.

A route names its action by `dependencies=[acts(Action.X)]`, or is marked by `open_to_anybody`. Who calls is known
before: `api/gate.py` finds the token of the API, `api/console/frame/visits.py` the login of the console.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from urllib.parse import unquote

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool

from domain.access import is_allowed
from models.access import Action, Caller, Outcome
from models.errors import Refused
from models.said import Said, Sentence
from services.access.log import recorded, searched
from services.access.scope import check_there

Route = TypeVar("Route", bound=Callable[..., Any])

_UNRECORDED = {Action.ENTER, Action.READ_METRICS}
"""What shows nothing of archives or of people."""
_SEARCH_BY_FORM = {Action.EXPORT_TABLE, Action.EXPORT_ARCHIVE, Action.FIND_PERSON}
_NO_FILTERS = {"csrf", "then"}
_OF_PEOPLE = ("name", "role", "scope", "break_glass")
_PARTS = {
    "/": "now",
    "/activity": "activity",
    "/api/changes": None,
    "/arrivals": "arrivals",
    "/facets": "facets",
    "/bulk/{batch_id}": "batch",
    "/payments/reports": "taken",
    "/prefect-access": None,
}
"""Routes that an open page, or a program, asks again by itself; for the part of this id, if it sends one."""
_ASKS_AGAIN_S, _MOST_SHOWN = 3600, 10_000
_shown: dict[int, float] = {}
"""When a page was recorded last. An open page asks again by itself, some every two seconds."""


@dataclass(frozen=True, slots=True)
class Acts:
    """A dependency that checks whether the caller may act, and records that before the route answers. What is
    `of_nobody` shows nothing of archives or of people: only who is denied is recorded.
    """

    action: Action
    of_nobody: bool = False

    async def __call__(self, request: Request) -> AsyncIterator[None]:
        """Check the rules for a request, and record it: a change before it is made, a page while it is made.

        Raises:
            Refused: the caller's role may not act, or the caller sees no such archive, or it is erased.
            Transient: the record is not on stable storage, so nothing is shown.
        """
        await self._check(request)
        recording = asyncio.create_task(self.record(request))
        try:
            if request.method != "GET":
                await recording
            yield
        finally:
            await recording

    async def _check(self, request: Request) -> None:
        caller, reference = _caller_and_reference(request)
        try:
            check_role(caller, self.action)
            if reference is not None:
                await run_in_threadpool(check_there, caller, reference)
        except Refused as refused:
            outcome: Outcome = "allowed" if refused.code == "ERASED" else "denied"
            await recorded(caller, self.action, outcome=outcome, reference=reference, detail=self._detail(request))
            raise

    async def record(self, request: Request) -> None:
        """Record a request that is allowed. Raises Transient if the record is not on stable storage."""
        caller, reference = _caller_and_reference(request)
        query = tuple(each for each in request.query_params.multi_items() if each[0] not in ("after", "since"))
        page, now = hash((caller, request.url.path, query)), time.monotonic()
        is_again = asks_by_itself(request) and now - _shown.get(page, -math.inf) < _ASKS_AGAIN_S
        if self.of_nobody or self.action in _UNRECORDED or is_again:
            return
        await recorded(caller, self.action, reference=reference, detail=self._detail(request))
        if len(_shown) >= _MOST_SHOWN:
            _shown.clear()
        _shown[page] = now

    def _detail(self, request: Request) -> dict[str, Any]:
        """Return what the record keeps of a request: its route, what its path names, and what it searches."""
        query = request.query_params.multi_items()
        if self.action in _SEARCH_BY_FORM and request.method == "POST":
            query += [each for each in request.state.form.fields if each[1] and each[0] not in _NO_FILTERS]
        named = {name: str(value)[:100].replace("\0", "\ufffd") for name, value in request.path_params.items()}
        named.pop("reference", None)
        if self.action is Action.CHANGE_PEOPLE and request.method == "POST":
            named |= {name: request.state.form.text(name)[:100] for name in _OF_PEOPLE if name not in named}
        found = {"route": f"{request.method} {request.scope['route'].path}", **named, "searched": searched(query)}
        return {name: value for name, value in found.items() if value}


def _caller_and_reference(request: Request) -> tuple[Caller, str | None]:
    sent = request.path_params.get("reference")
    return request.state.caller, None if sent is None else unquote(sent)


def asks_by_itself(request: Request) -> bool:
    """Return whether an open page asks, and not a person: so the login of a person who is away ends in time."""
    path = getattr(request.scope.get("route"), "path", "")
    is_part = path in _PARTS and _PARTS[path] in (None, request.headers.get("hx-trigger"))
    return is_part and request.method == "GET"


def acts(action: Action, *, of_nobody: bool = False) -> Any:
    """Return the dependency of a route that does something. It ends before the first byte of the answer."""
    return Depends(Acts(action, of_nobody), scope="function")


SEES_ALL = acts(Action.READ_TROUBLES, of_nobody=True)
"""For a route whose other action is what is done, and which shows something of every archive."""


def check_role(caller: Caller, action: Action) -> None:
    """Check that the role of a caller may act. Raises Refused if it may not."""
    if not is_allowed(caller.role, action):
        said = Sentence.forbidden(role=Said(f"role_{caller.role}"), action=Said(f"action_{action}"))
        raise Refused("FORBIDDEN", said, status=403)


def open_to_anybody(why: str) -> Callable[[Route], Route]:
    """Mark the function of a route that has no action, and say why it needs none."""

    def _marked(route: Route) -> Route:
        route.open_to_anybody = why  # type: ignore[attr-defined]
        return route

    return _marked


async def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


CallerOf = Annotated[Caller, Depends(_caller)]
"""Who calls a route that names an action."""

"""Each route names what it does, and lets those do it whom the rules permit."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from fastapi.routing import APIRoute
from starlette.routing import Mount, Route

from api.access import Acts
from api.app import app
from api.console.console import console
from models.access import Action

OF_FASTAPI = {"/openapi.json", "/docs", "/docs/oauth2-redirect"}
OPEN = {
    *(f"GET {each}" for each in OF_FASTAPI),
    *("GET /healthz", "GET /readyz", "GET /d/{token}", "GET /console"),
    *("POST /oauth/token", "POST /oauth/token/"),
    *("POST /webhooks/cellosign", "POST /webhooks/cellosign/"),
    *("POST /webhooks/cellosign/{source}", "POST /webhooks/cellosign/{source}/"),
    *("GET /console/login", "POST /console/login", "POST /console/logout", "POST /console/choices"),
    "GET /console/static/{digest}/{name:path}",
}
"""The routes that need no caller."""


@dataclass(frozen=True, slots=True)
class Named:
    """A route as a request names it, its action, and why it is open to anybody."""

    name: str
    action: Action | None
    why: str


def every_route() -> list[Named]:
    """Return the routes of the application, with those of the console."""
    return [*_named(app.routes, ""), *_named(console.routes, "/console")]


def _named(routes: Iterable[Any], prefix: str) -> Iterator[Named]:
    for each in routes:
        if isinstance(each, Route):
            path = f"{prefix}{each.path}"
            actions = [made.dependency.action for made in _dependencies(each) if isinstance(made.dependency, Acts)]
            why = getattr(each.endpoint, "open_to_anybody", "FastAPI's own" if path in OF_FASTAPI else "")
            for method in (each.methods or set()) - {"HEAD"}:
                yield Named(f"{method} {path}", *(actions or [None]), why)
        elif not isinstance(each, Mount):  # a router that is included
            yield from _named(each.original_router.routes, prefix)


def _dependencies(route: Route) -> list[Any]:
    return [*route.dependencies] if isinstance(route, APIRoute) else []


def test_each_route_names_its_action_or_why_anybody_may_ask() -> None:
    routes = every_route()

    assert {each.name for each in routes if each.action is None} == OPEN
    assert {each.name for each in routes if each.why} == OPEN
    assert len(routes) > 90

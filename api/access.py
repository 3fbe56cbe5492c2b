"""Says what each route does, and lets a caller do it whose role and scope permit: the rules are in `domain/access.py`.

A route names its action by `dependencies=[acts(Action.X)]`, or is marked by `open_to_anybody`. Who calls is known
before: `api/gate.py` finds the token of the API, `api/console/frame/forms.py` the login of the console.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request

from domain.access import is_allowed
from models.access import Action, Caller
from models.errors import Refused
from models.said import Said, Sentence

Route = TypeVar("Route", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Acts:
    """A dependency that checks whether the caller may act."""

    action: Action

    def __call__(self, request: Request) -> None:
        """Check the rules for a request.

        Raises:
            Refused: the caller's role may not act.
        """
        check_role(request.state.caller, self.action)


def acts(action: Action) -> Any:
    """Return the dependency of a route that does something."""
    return Depends(Acts(action))


def check_role(caller: Caller, action: Action) -> None:
    """Check that the role of a caller may act.

    Raises:
        Refused: it may not.
    """
    if not is_allowed(caller.role, action):
        said = Sentence.forbidden(role=Said(f"role_{caller.role}"), action=Said(f"action_{action}"))
        raise Refused("FORBIDDEN", said, status=403)


def open_to_anybody(why: str) -> Callable[[Route], Route]:
    """Mark the function of a route that has no action, and say why it needs none."""

    def _marked(route: Route) -> Route:
        route.open_to_anybody = why  # type: ignore[attr-defined]
        return route

    return _marked


def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


CallerOf = Annotated[Caller, Depends(_caller)]
"""Who calls a route that names an action."""

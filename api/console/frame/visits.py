"""Who visits a page: dependencies of the routes, which lead to the login if nobody is signed in."""

import secrets
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Request

from api.access import asks_by_itself
from api.authorization import address_of
from api.console.frame.cookies import ROOT, VISITOR, Visitor
from api.references import is_ambiguous
from domain.words.wording import N_
from models.errors import Refused
from services.access import logins

_NO_SUCH_PAGE = N_("There is no such page.")


class SignInFirst(Exception):
    """Nobody is signed in. `then` is the page to return to after the login."""

    def __init__(self, then: str) -> None:
        super().__init__("sign in first")
        self.then = then

    @property
    def login_path(self) -> str:
        return f"{ROOT}/login" + (f"?then={quote(self.then, safe='')}" if self.then else "")


def visit(request: Request) -> Visitor:
    """Return who visits, also when nobody is signed in. The rendered page gives a new visitor a cookie."""
    visitor_id = VISITOR.read(request)
    visitor = Visitor(visitor_id or secrets.token_urlsafe(32), is_new=visitor_id is None)
    request.state.visitor = visitor
    return visitor


def sign_in(request: Request, visitor: Visitor) -> None:
    """Find who is signed in, and leave the caller for `api/access.py`.

    Raises:
        SignInFirst: nobody is.
        Refused: the path has NUL, which Postgres does not accept.
    """
    asked, is_visit = (visitor.visitor_id, address_of(request), datetime.now(UTC)), not asks_by_itself(request)
    caller = None if visitor.is_new else logins.caller_of(*asked, is_visit=is_visit)
    if caller is None:
        raise SignInFirst(sent_path(request) if request.method == "GET" else "")
    request.state.caller = caller
    request.state.visitor = Visitor(visitor.visitor_id, is_new=False, caller=caller)
    if any("\0" in each for each in request.path_params.values()):
        raise Refused("UNKNOWN_PATH", _NO_SUCH_PAGE, status=404)


def own_path(sent: str) -> str:
    """Return a path of the console to go to, the first page if `sent` is none: nobody may send people elsewhere."""
    is_own = sent.startswith(f"{ROOT}/") and sent.isascii() and sent.isprintable() and "\\" not in sent
    path = sent.partition("?")[0]
    leads_away = "//" in path or is_ambiguous(path.encode())
    return sent if is_own and not leads_away else f"{ROOT}/"


def sent_path(request: Request) -> str:
    """Return the path of a request, encoded as it came, and the query of a page."""
    path: str = request.scope["raw_path"].decode("latin-1")
    return f"{path}?{request.url.query}" if request.method == "GET" and request.url.query else path


async def _visitor(request: Request) -> Visitor:
    return visit(request)


AnyVisitor = Annotated[Visitor, Depends(_visitor)]

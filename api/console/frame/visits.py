"""Who visits a page, and the forms that they post: dependencies of the routes, which lead to the login if need be.

Each form is checked to come from a page of ours, by its token and by what the browser says.
"""

import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import parse_qsl, quote, urlsplit

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import Headers

from adapters.settings.settings import settings
from api.access import asks_by_itself
from api.authorization import address_of
from api.console.frame.cookies import ROOT, VISITOR, Visitor
from api.gate import UPLOADS, read_body
from api.references import is_ambiguous
from domain.words.wording import N_
from models.errors import Refused
from models.views.parameters import Moment, Statement
from services.access import logins

_MOST_BYTES, _MOST_BYTES_OF_ANYBODY = 256 << 10, 16 << 10
_MOST_FIELDS, _MOST_FIELDS_OF_ANYBODY = 2000, 20
_MOST_HOURS = 24 * 90
CSRF = "csrf"
_REASON: TypeAdapter[str] = TypeAdapter(Statement)
_MOMENT: TypeAdapter[datetime] = TypeAdapter(Moment)
_NO_REASON = N_("Write a reason of at most 10,000 characters.")
_WRONG_HOURS = N_("Write a number of hours from 0 to 2160.")
NO_SUCH_PAGE = N_("There is no such page.")


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
        raise Refused("UNKNOWN_PATH", NO_SUCH_PAGE, status=404)


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


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a posted form, in their order. A name may repeat."""

    fields: tuple[tuple[str, str], ...]

    def text(self, name: str) -> str:
        """Return a field without the spaces around it; empty if the form has no such field."""
        return next((value.strip() for key, value in self.fields if key == name), "")

    def reason(self, name: str = "why") -> str:
        """Return why a person does something, from a field, or from the button `quick` that names a reason.

        Raises Refused if it is empty, or has more than 10,000 characters.
        """
        try:
            return _REASON.validate_python(self.text("quick") or self.text(name))
        except ValidationError as error:
            raise Refused("BAD_PARAMETER", _NO_REASON, where=name) from error

    def moment(self, name: str) -> datetime:
        """Return a field that a page of ours has filled with a time. Raises Refused if it is no time."""
        try:
            return _MOMENT.validate_python(self.text(name))
        except ValidationError as error:
            raise Refused("BAD_PARAMETER", "expected a time with zone", where=name) from error

    def number(self, name: str) -> float | str:
        """Return a field that has a number; as it stands if it has none, for a model to refuse."""
        text = self.text(name)
        return float(text) if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) else text

    def hours(self, name: str) -> float:
        """Return a field with a number of hours, 90 days at most. Raises Refused if it is none."""
        hours = self.number(name)
        if isinstance(hours, str) or hours > _MOST_HOURS:
            raise Refused("BAD_PARAMETER", _WRONG_HOURS, where=name)
        return hours

    def texts(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key == name]

    def optional(self, name: str) -> str | None:
        """Return a field exactly as the page had it; None if the form has no such field."""
        return next((value for key, value in self.fields if key == name), None)


async def from_a_page(request: Request, visitor: AnyVisitor) -> Visitor:
    """Return who sends a form, as far as its head tells that it comes from a page of ours.

    Raises Refused if it comes from elsewhere.
    """
    if visitor.is_new or not _is_from_here(request.headers):
        raise _from_elsewhere()
    return visitor


def _is_from_here(headers: Headers) -> bool:
    """Return whether nothing in a head says that another site sends the form. Old browsers say it by `Origin` alone, as
    all browsers do where the console has no TLS; programs say nothing.
    """
    if "sec-fetch-site" in headers:
        return headers["sec-fetch-site"] == "same-origin"
    own = (headers.get("host"), urlsplit(settings().receiver_url).netloc)
    return "origin" not in headers or urlsplit(headers["origin"]).netloc in own


FromAPage = Annotated[Visitor, Depends(from_a_page)]


async def enter(request: Request, visitor: AnyVisitor) -> None:
    """Find who is signed in, and read the form that they post, before the action of a route is checked. A form with
    files is read afterwards, by `uploads.py`.

    Raises:
        SignInFirst: nobody is signed in.
        Refused: the form comes from elsewhere, is too large or too slow, or is no form.
    """
    if request.method == "POST":
        await from_a_page(request, visitor)
    await run_in_threadpool(sign_in, request, visitor)
    has_files = request.url.path in UPLOADS and request.headers.get("content-type", "").startswith("multipart/")
    if request.method == "POST" and not has_files:
        request.state.form = await _read(request, visitor, _MOST_BYTES)


async def _posted(request: Request) -> Form:
    form: Form = request.state.form
    return form


async def posted_by_anybody(request: Request, visitor: FromAPage) -> Form:
    """Return the small form of a visitor. Raises as `enter` does."""
    return await _read(request, visitor, _MOST_BYTES_OF_ANYBODY, _MOST_FIELDS_OF_ANYBODY)


Posted = Annotated[Form, Depends(_posted)]
PostedByAnybody = Annotated[Form, Depends(posted_by_anybody)]


async def _read(request: Request, visitor: Visitor, most_bytes: int, most_fields: int = _MOST_FIELDS) -> Form:
    return checked(Form(tuple(_fields(await read_body(request, most_bytes), most_fields))), visitor)


def checked(form: Form, visitor: Visitor) -> Form:
    """Return a form. Raises Refused if it has not the token of the visitor's pages."""
    if not hmac.compare_digest(form.text(CSRF).encode(), visitor.csrf_token.encode()):
        raise _from_elsewhere()
    return form


def _fields(body: bytes, most_fields: int) -> list[tuple[str, str]]:
    try:
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=most_fields, errors="strict")
    except ValueError as error:
        raise Refused("BAD_PARAMETER", "expected a form as browsers send it, in UTF-8", where="body") from error
    if any("\0" in value for _, value in fields):
        raise Refused("BAD_PARAMETER", "a text must not contain NUL", where="body")
    # browsers send a line break as CR and LF
    return [(name, value.replace("\r\n", "\n")) for name, value in fields]


def _from_elsewhere() -> Refused:
    detail = "the form does not come from a page of this console, or the page is too old; load the page again"
    return Refused("FORM_FROM_ELSEWHERE", detail, status=403)

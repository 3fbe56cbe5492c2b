"""Login, logout, and the choice of language and colours."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from api.access import open_to_anybody
from api.authorization import Unauthorized, address_of, caller_with
from api.console.frame import cookies
from api.console.frame.cookies import ROOT
from api.console.frame.forms import PostedByAnybody
from api.console.frame.rendering import render
from api.console.frame.threads import in_thread
from api.console.frame.visits import AnyVisitor, own_path
from domain.words.wording import LANGUAGES
from services.access import logins

_MOST_SIGNS_OF_NAME = 60
router = APIRouter()


@router.get("/login")
@open_to_anybody("nobody is signed in yet")
def login_page(request: Request, _visitor: AnyVisitor, then: str = "") -> Response:
    return render(request, "login.html", then=own_path(then), wrong=None, name="")


@router.post("/login")
@open_to_anybody("nobody is signed in yet")
async def login(request: Request, form: PostedByAnybody, visitor: AnyVisitor) -> Response:
    """Sign a person in. A login that the browser has already ends: its cookie is replaced."""
    name, then = form.text("name"), own_path(form.text("then"))
    is_named = bool(name) and name.isprintable() and len(name) <= _MOST_SIGNS_OF_NAME
    if not is_named:
        return render(request, "login.html", 422, then=then, wrong="name", name=name)
    if await caller_with(request, form.text("token")) is None:
        return _wrong_token(request, then, name)
    session_id = await in_thread(logins.begin, name, form.text("token"), datetime.now(UTC))
    await in_thread(logins.end, visitor.visitor_id)
    response = see(then)
    cookies.keep_visitor(request, response, session_id)
    return response


@router.post("/logout")
@open_to_anybody("nobody is signed in yet")
async def logout(request: Request, _form: PostedByAnybody, visitor: AnyVisitor) -> Response:
    await in_thread(logins.end, visitor.visitor_id)
    response = see(f"{ROOT}/login")
    cookies.forget_visitor(request, response)
    return response


@router.post("/choices")
@open_to_anybody("nobody is signed in yet")
async def choose(request: Request, form: PostedByAnybody) -> Response:
    """Keep the choice of a language or of colours, and show the page again."""
    response = see(own_path(form.text("then")))
    language, theme = form.text("language"), form.text("theme")
    cookies.keep_choices(
        request,
        response,
        language if language in LANGUAGES else None,
        theme if theme in ("light", "dark", "auto") else None,
    )
    return response


def _wrong_token(request: Request, then: str, name: str) -> Response:
    unauthorized: Unauthorized = request.app.state.unauthorized
    address = address_of(request)
    unauthorized.count(address, "console")
    again_s = unauthorized.wrong_token(address)
    if not again_s:
        return render(request, "login.html", 403, then=then, wrong="token", name=name)
    answer = render(request, "login.html", 429, then=then, wrong="often", name=name)
    answer.headers["retry-after"] = str(again_s)
    return answer


def see(path: str) -> RedirectResponse:
    """Return the answer to a form: look at a page of the console."""
    return RedirectResponse(path, 303)

"""Login, logout, the link that sets a password, and the choice of language and colours."""

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request, Response

from adapters.peers import oidc
from adapters.settings.settings import settings
from api.access import open_to_anybody
from api.authorization import Unauthorized, address_of, caller_with, network_of
from api.console.frame import cookies
from api.console.frame.cookies import ROOT, Visitor
from api.console.frame.rendering import render, see
from api.console.frame.threads import in_thread, in_thread_of_passwords
from api.console.frame.visits import AnyVisitor, PostedByAnybody, own_path
from domain.words.wording import LANGUAGES
from models.access import Action, Caller, SignedInBy
from models.errors import Refused
from services.access import logins, provider, users
from services.access.log import record

_NOBODY = "nobody is signed in yet"
_OFTEN = 429
_LONGEST_IN_COOKIE = 2000
router = APIRouter()


@router.get("/login")
@open_to_anybody(_NOBODY)
def login_page(request: Request, _visitor: AnyVisitor, then: str = "") -> Response:
    return _login_page(request, 200, own_path(then))


@router.post("/login")
@open_to_anybody(_NOBODY)
async def login(request: Request, form: PostedByAnybody, visitor: AnyVisitor) -> Response:
    """Sign in who shows a token, or a name and a password. A login that the browser has already ends."""
    then, now, token, name = own_path(form.text("then")), datetime.now(UTC), form.text("token"), form.text("name")
    address = address_of(request)
    if token:
        caller = await caller_with(request, token)
        if caller is None:
            again_s = _unauthorized(request).guess(address)
            return _denied(request, then, "token", again_s)
        session_id = await in_thread(logins.begin, caller, SignedInBy.TOKEN, now, token)
        return await _enter(request, visitor, session_id, then)
    guess = (address, cookies.known_browser(request, name))
    if again_s := _unauthorized(request).guess(*guess):
        return _denied(request, then, "password", again_s, name)
    typed = (name, form.text("password"), form.text("code"))
    signed_in = await in_thread_of_passwords(guess[1] or network_of(address), users.sign_in, *typed, address, now)
    if signed_in is None:
        await in_thread(users.record_denied, name, address)
        return _denied(request, then, "password", 0, name)
    _unauthorized(request).was_right(*guess)
    answer = await _enter(request, visitor, signed_in, then)
    cookies.keep_known(request, answer, name)
    return answer


@router.get("/login/provider")
@open_to_anybody(_NOBODY)
async def ask_provider(request: Request, _visitor: AnyVisitor, then: str = "") -> Response:
    """Send a browser to the provider. It alone can come back: it keeps what the provider's answer must fit."""
    _require_provider()
    back_url = f"{settings().receiver_url}{ROOT}/login/provider/back"
    begun = oidc.begin(back_url, own_path(then if len(then) < _LONGEST_IN_COOKIE else ""))
    answer = see(await oidc.login_url(begun))
    cookies.BEGUN.keep(request, answer, begun.model_dump_json())
    return answer


@router.get("/login/provider/back")
@open_to_anybody(_NOBODY)
async def come_back(request: Request, visitor: AnyVisitor, state: str = "", code: str = "") -> Response:
    """Sign in whom the provider names, if one of their groups has a role."""
    _require_provider()
    kept = cookies.BEGUN.read(request)
    begun, address = oidc.Begun.model_validate_json(kept) if kept else None, address_of(request)
    then = begun.then if begun else f"{ROOT}/"
    if again_s := _unauthorized(request).guess(address):
        return _denied(request, then, "provider", again_s)
    try:
        if begun is None or not code or not begun.is_answered_by(state):
            raise Refused("SIGN_IN_FAILED", "this browser has asked for no such login", status=403)
        caller, has_role = await provider.caller_of(begun, code, address)
    except Refused:
        answer = _denied(request, then, "provider", 0)
    else:
        _unauthorized(request).was_right(address)
        if has_role:
            session_id = await in_thread(logins.begin, caller, SignedInBy.PROVIDER, datetime.now(UTC))
            answer = await _enter(request, visitor, session_id, then)
        else:
            await in_thread(record, caller, Action.ENTER, outcome="denied", detail={"by": SignedInBy.PROVIDER})
            answer = _login_page(request, 403, then, wrong="role")
    cookies.BEGUN.keep(request, answer, "")
    return answer


@router.get("/password/{link}")
@open_to_anybody("who has the link sets the password")
def password_page(request: Request, link: str, _visitor: AnyVisitor) -> Response:
    return _password_page(request, link)


@router.post("/password/{link}")
@open_to_anybody("who has the link sets the password")
async def set_password(request: Request, link: str, form: PostedByAnybody, visitor: AnyVisitor) -> Response:
    """Set a password by a link, once, and sign in with it, unless the provider of logins stands before it."""
    if form.text("password") != form.text("again"):
        return await in_thread(_password_page, request, link, 422, "again")
    now, address = datetime.now(UTC), address_of(request)
    sharer = network_of(address)
    try:
        user = await in_thread_of_passwords(sharer, users.set_password_by, link, form.text("password"), now)
    except Refused as refused:
        return await in_thread(_password_page, request, link, refused.status, "length")
    caller = Caller(user.name, user.role, user.scope, address)
    await in_thread(record, caller, Action.ENTER, detail={"does": "set_password"})
    typed = (user.name, form.text("password"), "")
    signed_in = await in_thread_of_passwords(sharer, users.sign_in, *typed, address, now)
    if signed_in is None:
        return see(f"{ROOT}/login?said=password")
    return await _enter(request, visitor, signed_in, f"{ROOT}/")


@router.post("/logout")
@open_to_anybody("nobody is signed in yet")
async def logout(request: Request, _form: PostedByAnybody, visitor: AnyVisitor) -> Response:
    await in_thread(logins.end, visitor.visitor_id, datetime.now(UTC))
    response = see(f"{ROOT}/login")
    cookies.VISITOR.keep(request, response, "")
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


async def _enter(request: Request, visitor: Visitor, session_id: str, then: str) -> Response:
    """Lead a person who is signed in to a page, once it is on record. A login that the browser had before ends."""
    now = datetime.now(UTC)
    caller = await in_thread(logins.caller_of, session_id, address_of(request), now)
    if caller is None:  # ended within this moment
        return _login_page(request, 403, then, "ended")
    await in_thread(record, caller, Action.ENTER, detail={"does": "sign_in"})
    await in_thread(logins.end, visitor.visitor_id, now)
    response = see(then)
    cookies.VISITOR.keep(request, response, session_id)
    return response


def _denied(request: Request, then: str, wrong: str, again_s: int, name: str = "") -> Response:
    _unauthorized(request).count(address_of(request), "console")
    answer = _login_page(request, _OFTEN if again_s else 403, then, "often" if again_s else wrong, name)
    if again_s:
        answer.headers["retry-after"] = str(again_s)
    return answer


def _login_page(request: Request, status: int, then: str, wrong: str = "", name: str = "") -> Response:
    made: dict[str, Any] = {"has_provider": bool(settings().oidc_issuer), "idle_minutes": settings().idle_minutes}
    return render(request, "login.html", status, then=then, wrong=wrong, name=name, **made)


def _password_page(request: Request, link: str, status: int = 200, wrong: str = "") -> Response:
    user = users.user_of_link(link, datetime.now(UTC))  # 256 random bits: guesses need no limit
    return render(request, "people/password.html", status, user=user, wrong=wrong, shortest=users.SHORTEST)


def _require_provider() -> None:
    if not settings().oidc_issuer:
        raise Refused("UNKNOWN_PATH", "no provider is set", status=404)


def _unauthorized(request: Request) -> Unauthorized:
    unauthorized: Unauthorized = request.app.state.unauthorized
    return unauthorized

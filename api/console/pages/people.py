"""`/console/people`: users, tokens and logins. `/console/me`: a person's own logins, password and one-time codes."""

from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import APIRouter, Request, Response

from adapters.settings.digests import digest_of
from api.access import CallerOf, acts
from api.authorization import Unauthorized
from api.console.frame.cookies import ROOT
from api.console.frame.rendering import render, see
from api.console.frame.threads import in_thread, in_thread_of_passwords
from api.console.frame.visits import Form, Posted
from models.access import GIVEN_ROLES, Action, Caller, Role, User
from models.errors import Refused
from services.access import logins, tokens, users
from services.access.log import record
from services.access.scope import sees_none

PATH, ME = f"{ROOT}/people", f"{ROOT}/me"
_Change = Literal["role", "reset", "sign-out", "disable", "enable"]
_CHANGES, _OWN = acts(Action.CHANGE_PEOPLE), acts(Action.ENTER)
router = APIRouter()


@router.get("/people", dependencies=[acts(Action.READ_PEOPLE)])
def list_people(request: Request) -> Response:
    return _people(request)


@router.post("/people", dependencies=[_CHANGES])
async def add(request: Request, form: Posted, caller: CallerOf) -> Response:
    """Add a user, and show the link that sets their password, this once."""
    now, is_break_glass = datetime.now(UTC), bool(form.text("break_glass"))
    try:
        asked = (form.text("name"), _role(form), caller.name, now)
        made = await in_thread(users.add, *asked, scope=form.text("scope") or None, is_break_glass=is_break_glass)
    except Refused as refused:
        return await in_thread(_people, request, refused)
    is_empty = await in_thread(sees_none, made.scope)
    return render(request, "people/link.html", made=made, is_empty=is_empty)


@router.post("/people/{name}/{change}", dependencies=[_CHANGES])
async def change(request: Request, name: str, change: _Change, form: Posted, caller: CallerOf) -> Response:
    """Change a user, or end a login of theirs. A new link that sets their password is shown this once."""
    now = datetime.now(UTC)
    if change == "role":
        try:
            await in_thread(users.set_role, name, _role(form), form.text("scope") or None, now)
        except Refused as refused:
            return await in_thread(_people, request, refused)
    elif change == "reset":
        return render(request, "people/link.html", made=await in_thread(users.reset, name, now))
    elif change == "sign-out":
        await in_thread(logins.end_listed, form.text("login"), now, name)
    elif change == "disable":
        await in_thread(users.disable, name, caller.name, now)
    else:
        await in_thread(users.enable, name, now)
    return see(PATH)


@router.get("/me", dependencies=[_OWN])
def show_own(request: Request, caller: CallerOf) -> Response:
    return _own(request, caller)


@router.post("/me/sign-out", dependencies=[_OWN])
async def end_own(form: Posted, caller: CallerOf) -> Response:
    await in_thread(logins.end_listed, form.text("login"), datetime.now(UTC), caller.name)
    return see(ME)


@router.post("/me/password", dependencies=[_OWN])
async def change_password(request: Request, form: Posted, caller: CallerOf) -> Response:
    """Set a new password for who shows the old one. Their other logins end."""
    user, now = await _shown_again(request, form, caller), datetime.now(UTC)
    if user is None or form.text("new") != form.text("again"):
        return await in_thread(_own, request, caller, 422, "again" if user else "old")
    try:
        kept = request.state.visitor.visitor_id
        await in_thread_of_passwords(caller.name, users.change_password, user, form.text("new"), now, kept)
    except Refused as refused:
        return await in_thread(_own, request, caller, refused.status, "new")
    await in_thread(record, caller, Action.ENTER, detail={"does": "set_password"})
    return see(f"{ME}?done=password")


@router.post("/me/code", dependencies=[_OWN])
async def turn_codes_on(request: Request, form: Posted, caller: CallerOf) -> Response:
    """Ask for a one-time code from now on, of who shows the password and a first code."""
    user, now = await _shown_again(request, form, caller), datetime.now(UTC)
    secret = users.code_secret(caller.name, request.state.visitor.visitor_id)
    if user is None or not await in_thread(users.turn_codes_on, user, secret, form.text("first"), now):
        return await in_thread(_own, request, caller, 422, "code" if user else "old")
    await in_thread(record, caller, Action.ENTER, detail={"does": "turn_codes_on"})
    return see(f"{ME}?done=code")


async def _shown_again(request: Request, form: Form, caller: Caller) -> User | None:
    """Return the user who shows their password again: a browser that was left open is not enough. Guesses are few."""
    unauthorized: Unauthorized = request.app.state.unauthorized
    if unauthorized.guess(caller.address):
        return None
    shown = (caller.name, form.text("password"), form.text("code"))
    user = await in_thread_of_passwords(caller.name, users.checked, *shown, datetime.now(UTC))
    if user:
        unauthorized.was_right(caller.address)
    return user


def _role(form: Form) -> Role:
    try:
        return Role(form.text("role"))
    except ValueError as error:
        raise Refused("BAD_PARAMETER", "expected a role", where="role") from error


def _people(request: Request, refused: Refused | None = None) -> Response:
    now = datetime.now(UTC)
    shown: dict[str, Any] = {"users": users.listed().items, "roles": GIVEN_ROLES}
    shown |= {"tokens": tokens.listed().items, "logins": logins.listed(now), "wrong": refused and refused.code}
    return render(request, "people/people.html", refused.status if refused else 200, **shown)


def _own(request: Request, caller: Caller, status: int = 200, wrong: str = "") -> Response:
    user, secret = users.user_named(caller.name), users.code_secret(caller.name, request.state.visitor.visitor_id)
    shown: dict[str, Any] = {"user": user, "secret": secret, "code_url": users.code_url(caller.name, secret)}
    shown |= {"logins": logins.listed(datetime.now(UTC), caller.name), "wrong": wrong, "shortest": users.SHORTEST}
    shown |= {"this": digest_of(request.state.visitor.visitor_id), "done": request.query_params.get("done")}
    return render(request, "people/me.html", status, **shown)

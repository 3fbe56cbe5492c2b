"""Local users: people with a password, for a small installation, or for the day on which the provider is away."""

import hashlib
import hmac
import secrets
from base64 import b32encode
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import pyotp
from itsdangerous import BadSignature, Signer
from pwdlib import PasswordHash
from pydantic import TypeAdapter, ValidationError

from adapters.settings.digests import digest_of, keyed_digest
from adapters.settings.settings import settings
from adapters.store import tokens, users
from models.access import RESERVED_NAMES, Action, Caller, Role, SignedInBy, User, UserFacts, UserName, Users, UserView
from models.errors import Conflict, Refused
from services.access import logins
from services.access.log import record
from services.access.scope import check_scope

FIRST, FIRST_LOGIN = "admin", "first-login"
LINK_LASTS = _OWN_AFTER = timedelta(hours=24)
SHORTEST, LONGEST = 12, 200
_UNKNOWN = "(unknown)"
_STEP_S = 30
_HASHES = PasswordHash.recommended()
_NAME: TypeAdapter[str] = TypeAdapter(UserName)


def add(
    name: str, role: Role, by: str, now: datetime, *, scope: str | None = None, is_break_glass: bool = False
) -> UserView:
    """Add a user, and return them with the link by which they set their password, which nobody can show again.

    Raises:
        Refused: the name is no name, or taken; or the role does not go with the scope.
        Conflict: somebody else adds the user at the same time.
    """
    return _add(name, role, by, now, scope=_scope(name, role, scope), is_break_glass=is_break_glass)


def _add(
    name: str, role: Role, by: str, now: datetime, *, scope: str | None = None, is_break_glass: bool = False
) -> UserView:
    secret = secrets.token_urlsafe(32)

    def _added(before: User | None) -> User:
        if before or name in RESERVED_NAMES or tokens.RECORDS.find(name):
            raise Refused("USER_EXISTS", f"a user or a token has the name {name}", where="name", status=409)
        made = User(name=name, role=role, scope=scope, created_at=now, created_by=by, is_break_glass=is_break_glass)
        return _linked(made, secret, now)

    return _view(users.RECORDS.change(name, _added), _url(name, secret))


def add_first(role: Role, now: datetime) -> str | None:
    """Make the first user, where nobody could sign in by name otherwise; return the link for the password."""
    if settings().oidc_issuer or next(users.RECORDS.readable(), None):
        return None
    try:
        return _add(FIRST, role, "cellar", now).link
    except (Conflict, Refused):  # another process of this start has made it
        return None


def listed() -> Users:
    found = sorted(users.RECORDS.readable(), key=lambda each: each.name)
    return Users(items=[_view(each) for each in found])


def set_role(name: str, role: Role, scope: str | None, now: datetime) -> UserView:
    """Give a user another role, which ends their logins.

    Raises:
        Refused: there is no such user, or the role does not go with the scope.
        Conflict: the record is damaged, or somebody else changes the user at the same time.
    """
    update = {"role": role, "scope": _scope(name, role, scope)}
    return _view(_changed(name, lambda user: user.model_copy(update=update), now))


def disable(name: str, by: str, now: datetime) -> UserView:
    """End the logins of a user, who cannot sign in again until `enable`. Raises as `set_role` does."""
    return _view(_changed(name, lambda user: user.model_copy(update={"disabled_at": now, "disabled_by": by}), now))


def enable(name: str, now: datetime) -> UserView:
    """Let a user sign in again. Raises as `set_role` does."""
    return _view(_changed(name, lambda user: user.model_copy(update={"disabled_at": None, "disabled_by": None}), now))


def reset(name: str, now: datetime) -> UserView:
    """Take password and one-time codes away from a user, and make a link for a new password. Raises as `set_role`."""
    secret, gone = secrets.token_urlsafe(32), {"password": None, "code": None}
    user = _changed(name, lambda user: _linked(user.model_copy(update=gone), secret, now), now)
    return _view(user, _url(name, secret))


def user_of_link(link: str, now: datetime) -> User:
    """Return whose password a link sets, by the last part of its path.

    Raises Refused if the link is used, old or wrong.
    """
    try:
        name, _, secret = _signer().unsign(link).decode().rpartition(".")
    except BadSignature:  # nothing is read for a link that somebody made up
        raise _link_used() from None
    user = users.RECORDS.find(name)
    is_theirs = user and user.link and hmac.compare_digest(digest_of(secret), user.link)
    if not (user and is_theirs and user.link_until and now < user.link_until):
        raise _link_used()
    return user


def set_password_by(link: str, password: str, now: datetime) -> User:
    """Set a password by a link, which works once.

    Raises Refused if the link is used, old or wrong; or the password has fewer than 12 or more than 200 characters.
    """
    user = user_of_link(link, now)
    hashed = _hashed(password, user.name)
    try:
        changed = _replaced(user, password=hashed, link=None, link_until=None)
    except Conflict:  # the link came twice at once
        raise _link_used() from None
    logins.end_all(user.name, now)
    if user.name == FIRST:
        with suppress(OSError):  # the file of a link that opens nothing any more
            settings().secret_path(FIRST_LOGIN).unlink(missing_ok=True)
    return changed


def change_password(user: User, password: str, now: datetime, session_id: str) -> None:
    """Set a new password for whom `checked` has returned. Their other logins end. Raises as `set_password_by`."""
    _replaced(user, password=_hashed(password, user.name))
    logins.end_all(user.name, now, but=session_id)


def code_secret(name: str, session_id: str) -> str:
    """Return the secret of the one-time codes that a login offers to its user: the browser only shows it."""
    return b32encode(bytes.fromhex(keyed_digest("code", f"{name} {session_id}"))[:20]).decode()


def code_url(name: str, secret: str) -> str:
    """Return the address that sets up an authenticator."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name="cellar")


def turn_codes_on(user: User, secret: str, code: str, now: datetime) -> bool:
    """Let a user sign in only with a one-time code too, if they show one made with the secret; return whether."""
    step = _step_of(secret, code, now)
    if step is not None:
        _replaced(user, code=users.sealed_code(user.name, secret), code_step=step)
    return step is not None


def sign_in(name: str, password: str, code: str, address: str, now: datetime) -> str | None:
    """Sign a user in whom `checked` returns, and return the secret id of the session; None if it returns nobody."""
    user = checked(name, password, code, now)
    if user is None:
        return None
    by = SignedInBy.BREAK_GLASS if settings().oidc_issuer else SignedInBy.PASSWORD
    session_id = logins.begin(Caller(user.name, user.role, user.scope, address), by, now)
    if users.RECORDS.find(name) != user:  # disabled or changed meanwhile, when there was no login to end yet
        logins.end(session_id, now)
        return None
    return session_id


def are_two_people(one: str, other: str, now: datetime) -> bool:
    """Return whether two names of records stand for two people, as four eyes need them.

    Whoever made a login may be the one who uses it. So a user or token stands for its maker until it is a day old.
    """
    return _stands_for(one, now) != _stands_for(other, now)


def _stands_for(name: str, now: datetime) -> str:
    passed = set[str]()  # somebody of the shell may have the name of a user whom they make
    while name not in passed and (made := user_named(name) or tokens.RECORDS.held().get(name)):
        passed.add(name)
        if now - made.created_at < _OWN_AFTER:
            name = made.created_by
    return name


def record_denied(name: str, address: str) -> None:
    """Record that somebody was not let in under a name. A name that nobody has may be a password: it is not kept.

    It has a row too: an answer that waits for no row would say that nobody has the name.
    """
    user = user_named(name)
    shown = (user.name, user.role, user.scope) if user else (_UNKNOWN, Role.VIEWER, None)
    record(Caller(*shown, address), Action.ENTER, outcome="denied")


def checked(name: str, password: str, code: str, now: datetime) -> User | None:
    """Return the user who shows name, password and, if they have turned codes on, a one-time code; None if nobody does.

    A name that nobody has, or that may not sign in, takes as long as a wrong password. A code works once.
    """
    user = user_named(name)
    may_enter = user is not None and not user.disabled_at and (user.is_break_glass or not settings().oidc_issuer)
    nobodys, expected = _nobodys(), user.password if may_enter and user else None
    is_right = _HASHES.verify(password[:LONGEST], expected or nobodys)
    if user is None or expected is None or not is_right:
        return None
    return user if user.code is None else _with_code_used(user, code, now)


def _with_code_used(user: User, code: str, now: datetime) -> User | None:
    step = _step_of(users.opened_code(user.name, user.code or ""), code, now)
    try:
        return _replaced(user, code_step=step) if step is not None and step > user.code_step else None
    except Conflict:  # the same code came twice at once
        return None


def _replaced(user: User, **changed: Any) -> User:
    """Change a user who has shown something that lets them in.

    Raises Conflict if the user has changed since, so that it may let them in no longer.
    """

    def _if_same(before: User | None) -> User:
        if before != user:
            raise Conflict("the user has changed meanwhile; load the page again")
        return user.model_copy(update=changed)

    return users.RECORDS.change(user.name, _if_same)


def _changed(name: str, changed: Callable[[User], User], now: datetime) -> User:
    """Change a user, then end their logins. A login that begins meanwhile is ended by whoever begins it."""
    user = users.RECORDS.change(name, lambda before: changed(_known(before)))
    logins.end_all(name, now)
    return user


def _known(user: User | None) -> User:
    if user is None:
        raise Refused("UNKNOWN_USER", "no user has this name; `cellar users list` shows the names", status=404)
    return user


def user_named(name: str) -> User | None:
    """Return the user of a name, None if there is none. Raises Conflict if the record is damaged."""
    try:
        return users.RECORDS.find(_NAME.validate_python(name))
    except ValidationError:
        return None


def _scope(name: str, role: Role, scope: str | None) -> str | None:
    """Return the scope of a user as it is kept. Raises as `add` does."""
    try:
        _NAME.validate_python(name)
    except ValidationError:
        expected = "expected small letters, digits, dots, hyphens and underscores, at most 40, like dana.levy"
        raise Refused("BAD_NAME", expected, where="name") from None
    return check_scope(role, scope)


def _view(user: User, link: str | None = None) -> UserView:
    facts = user.model_dump(include=set(UserFacts.model_fields))
    return UserView(**facts, has_password=user.password is not None, has_code=user.code is not None, link=link)


def _linked(user: User, secret: str, now: datetime) -> User:
    return user.model_copy(update={"link": digest_of(secret), "link_until": now + LINK_LASTS})


def _url(name: str, secret: str) -> str:
    return f"{settings().receiver_url}/console/password/{_signer().sign(f'{name}.{secret}').decode()}"


def _signer() -> Signer:
    return Signer(settings().active_link_secret(), salt="password", digest_method=hashlib.sha256)


def _link_used() -> Refused:
    detail = "the link is used, replaced or older than a day; an administrator makes another"
    return Refused("LINK_USED", detail, status=404)


def _hashed(password: str, name: str) -> str:
    if not SHORTEST <= len(password) <= LONGEST or password == name:
        raise Refused("BAD_PASSWORD", f"expected {SHORTEST} to {LONGEST} characters", where="password")
    return _HASHES.hash(password)


@lru_cache
def _nobodys() -> str:
    return _HASHES.hash(secrets.token_urlsafe(16))


def _step_of(secret: str, code: str, now: datetime) -> int | None:
    """Return the step of 30 s that a code belongs to; None if it is none of now, of the step before or after."""
    codes, now_step = pyotp.TOTP(secret), int(now.timestamp()) // _STEP_S
    typed = code.replace(" ", "").encode()
    steps = (now_step - 1, now_step, now_step + 1)
    return next((each for each in steps if hmac.compare_digest(typed, codes.generate_otp(each).encode())), None)

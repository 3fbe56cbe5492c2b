"""Signs people in to the console, and out of it."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlmodel import col

from adapters.settings.digests import digest_of, keyed_digest
from adapters.settings.settings import settings
from adapters.store import tokens
from adapters.tables.people import logins
from models.access import Caller, Role, SignedInBy
from models.errors import Transient
from models.people import LoginRow

LASTS = timedelta(hours=12)
_SEEN_EVERY = timedelta(minutes=1)


def begin(caller: Caller, by: SignedInBy, now: datetime, token: str | None = None) -> str:
    """Sign a caller in, and return the secret id of the session. The login ends with the token that was presented."""
    session_id = secrets.token_urlsafe(32)
    login = LoginRow(
        session=digest_of(session_id),
        person=caller.name,
        role=caller.role,
        scope=caller.scope,
        signed_in_by=by,
        address=caller.address[:64],
        token=token and _mark(digest_of(token)),
        began_at=now,
        seen_at=now,
        ends_at=now + LASTS,
    )
    logins.add(login, now)
    return session_id


def caller_of(session_id: str, address: str, now: datetime, *, is_visit: bool = True) -> Caller | None:
    """Return who is signed in, at the address of the request; None if nobody is, or the token opens nothing any more.

    Unless it `is_visit`, the browser asks by itself.
    """
    login = logins.find(digest_of(session_id))
    if login is None or login.ends_at <= now or not _is_open(login, now):
        return None
    if is_visit and now - login.seen_at >= _SEEN_EVERY:
        _see(login.session, now)
    return Caller(login.person, Role(login.role), login.scope, address)


def end(session_id: str, now: datetime) -> None:
    """Sign out. Raises Transient if the database does not answer."""
    logins.end(now, col(LoginRow.session) == digest_of(session_id))


def end_listed(login_id: str, now: datetime, person: str | None = None) -> bool:
    """End a login that `listed` has returned, if it is one of `person`; return whether there was one."""
    whose = () if person is None else (col(LoginRow.person) == person,)
    return logins.end(now, col(LoginRow.session) == login_id, *whose) > 0


def end_all(person: str, now: datetime, but: str | None = None) -> int:
    """End the logins of a person, except that with the id `but`; return their number."""
    others = () if but is None else (col(LoginRow.session) != digest_of(but),)
    return logins.end(now, col(LoginRow.person) == person, *others)


def listed(now: datetime, person: str | None = None) -> Sequence[LoginRow]:
    """Return the logins of a person, or all, the newest first. An idle login has ended for its browser alone."""
    since = now - timedelta(minutes=settings().idle_minutes) - _SEEN_EVERY
    whose = () if person is None else (col(LoginRow.person) == person,)
    return logins.lasting(now, col(LoginRow.seen_at) > since, *whose)


def _see(session_digest: str, now: datetime) -> None:
    try:
        logins.seen(session_digest, now)
    except Transient:  # lists say an earlier time; the page does not need it
        return


def _is_open(login: LoginRow, now: datetime) -> bool:
    """Return whether the token of a login, if it has one, still lets in whoever presents it."""
    if login.token is None or login.token in map(_mark, map(digest_of, settings().active_api_tokens())):
        return True
    token = tokens.RECORDS.known().get(login.person)
    return token is not None and token.is_open(now) and login.token == _mark(token.sha256)


def _mark(digest: str) -> str:
    return keyed_digest("login", digest)

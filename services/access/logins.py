"""Signs people in to the console, and out of it."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from adapters.settings.settings import settings
from adapters.tables.people import logins
from models.people import LoginRow

LASTS = timedelta(hours=12)


def begin(person: str, token: str, now: datetime) -> str:
    """Sign a person in who has presented an API token, and return the secret id of the session."""
    session_id = secrets.token_urlsafe(32)
    login = LoginRow(session=_digest(session_id), person=person, token=_mark(token), began_at=now, ends_at=now + LASTS)
    logins.add(login, now)
    return session_id


def person_of(session_id: str, tokens: Sequence[str], now: datetime) -> str | None:
    """Return the name of the person who is signed in; None if nobody is, or the token is no longer one of `tokens`."""
    login = logins.find(_digest(session_id))
    if login is None or login.ends_at <= now or login.token not in map(_mark, tokens):
        return None
    return login.person


def end(session_id: str) -> None:
    """Sign out. Raises Transient if the database does not answer."""
    logins.remove(_digest(session_id))


def _digest(session_id: str) -> str:
    return hashlib.sha256(session_id.encode()).hexdigest()


def _mark(token: str) -> str:
    """Return a keyed digest: a token that a person chose could be guessed from a plain one."""
    return hmac.digest(settings().active_link_secret().encode(), token.encode(), "sha256").hex()

"""Adds, lists and revokes the tokens of machines, and finds who presents one.

A token is random, shown once, and kept as a digest alone.
"""

import hmac
import secrets
from datetime import UTC, datetime

from pydantic import TypeAdapter, ValidationError

from adapters.settings.digests import digest_of
from adapters.settings.settings import settings
from adapters.store import tokens, users
from adapters.tables import uses
from models.access import OF_SETTINGS, RESERVED_NAMES, Caller, NewToken, Role, Token, TokenName, Tokens, TokenView
from models.errors import Refused
from services.access import logins
from services.access.scope import check_scope
from services.access.uses import used


def add(name: str, role: Role, scope: str | None, expires_at: datetime | None, by: str, now: datetime) -> NewToken:
    """Add a token, and return it. A receiver lets it in at once.

    Raises:
        Refused: the name is no name, or was taken by a token before; or the scope does not fit the role.
        Conflict: somebody else adds it at the same time.
    """
    _check_name(name)
    found = check_scope(role, scope)
    token = secrets.token_urlsafe(32)

    def _added(before: Token | None) -> Token:
        if before or name in RESERVED_NAMES or users.RECORDS.find(name):
            detail = f"a token or a user has or had the name {name}; choose another name"
            raise Refused("NAME_TAKEN", detail, where="name")
        made = {"created_at": now, "created_by": by, "expires_at": expires_at, "sha256": digest_of(token)}
        return Token.model_validate({"name": name, "role": role, "scope": found} | made)

    tokens.RECORDS.change(name, _added)
    return NewToken(name=name, token=token)


def revoke(name: str, by: str, now: datetime) -> TokenView:
    """Let a token open nothing from now on: here at once, elsewhere within 5 s. Its logins end.

    Raises:
        Refused: there is no such token.
        Conflict: the record is damaged, or somebody else changes it at the same time.
    """
    _check_name(name)

    def _revoked(before: Token | None) -> Token:
        if before is None:
            raise Refused("UNKNOWN_TOKEN", f"no token has the name {name}; `cellar tokens list` shows them", status=404)
        return before if before.revoked_at else before.model_copy(update={"revoked_at": now, "revoked_by": by})

    tokens.RECORDS.change(name, _revoked)
    logins.end_all(name, now)
    return next(each for each in listed().items if each.name == name)


def listed() -> Tokens:
    """Return all tokens with their last uses."""
    found = tokens.RECORDS.refresh().values()
    last = {name: row.at for name, row in uses.of("token", [each.name for each in found]).items()}
    views = [TokenView(**each.model_dump(exclude={"sha256"}), last_used_at=last.get(each.name)) for each in found]
    return Tokens(items=sorted(views, key=lambda each: (each.revoked_at is not None, each.name)))


def caller_of(presented: str, address: str = "") -> Caller | None:
    """Return who presents a token, None if it is no token, or opens nothing any more.

    Asks memory alone: the settings, and the tokens that were read from the store last. Each is compared in constant
    time.
    """
    pairs = [(presented.encode(), token.encode()) for token in settings().active_api_tokens()]
    if presented and sum(hmac.compare_digest(*each) for each in pairs):
        return Caller(OF_SETTINGS, Role.OWNER, address=address)
    digest, now = digest_of(presented), datetime.now(UTC)
    found = [each for each in tokens.RECORDS.known().values() if hmac.compare_digest(each.sha256, digest)]
    if not found or not found[0].is_open(now):
        return None
    used("token", found[0].name, now)
    return Caller(found[0].name, found[0].role, found[0].scope, address)


def _check_name(name: str) -> None:
    try:
        TypeAdapter(TokenName).validate_python(name)
    except ValidationError:
        expected = "expected a name of letters, digits, dots, hyphens and underscores, at most 60, like power-bi"
        raise Refused("BAD_NAME", expected, where="name") from None

"""Finds who calls: by a token of a machine, or by the login of a person."""

import hmac
from datetime import UTC, datetime

from adapters.settings.settings import settings
from adapters.store import tokens
from models.access import Caller, Role
from services.access import logins, uses
from services.access.tokens import digest_of

OF_SETTINGS = "CELLAR_API_TOKENS"
"""The name of a caller with a token of the settings."""


def of_token(presented: str, address: str = "") -> Caller | None:
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
    uses.used("token", found[0].name, now)
    return Caller(found[0].name, found[0].role, found[0].scope, address)


def of_login(session_id: str, address: str = "", *, is_visit: bool = True) -> Caller | None:
    """Return who is signed in with a session of a browser, None if nobody is."""
    return logins.caller_of(session_id, address, datetime.now(UTC), is_visit=is_visit)

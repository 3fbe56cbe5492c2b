"""Finds who calls: by a token of a machine, or by the login of a person."""

import hmac
from datetime import UTC, datetime

from adapters.settings.settings import settings
from models.access import Caller, Role
from services.access import logins

OF_SETTINGS = "CELLAR_API_TOKENS"
"""The name of a caller with a token of the settings."""


def of_token(presented: str, address: str = "") -> Caller | None:
    """Return who presents a token, None if it is no token. Asks memory alone, in a time that reveals nothing."""
    pairs = [(presented.encode(), token.encode()) for token in settings().active_api_tokens()]
    if presented and sum(hmac.compare_digest(*each) for each in pairs):
        return Caller(OF_SETTINGS, Role.OWNER, address=address)
    return None


def of_login(session_id: str, address: str = "") -> Caller | None:
    """Return who is signed in with a session of a browser, None if nobody is."""
    person = logins.person_of(session_id, settings().active_api_tokens(), datetime.now(UTC))
    return Caller(person, Role.OWNER, address=address) if person else None

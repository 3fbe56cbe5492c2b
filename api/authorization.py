"""Checks the secrets of senders and the tokens of readers."""

import base64
import hmac
from collections.abc import Iterable
from typing import Any

from fastapi.security import HTTPBearer
from starlette.datastructures import Headers

from adapters.settings.settings import settings
from models.errors import Code, Refused

UNAUTHORIZED: Code = "UNAUTHORIZED"
_ONE = "One of `CELLAR_WEBHOOK_SECRETS`, or of the secrets of the source that the URL names"
SENDERS_SECRET: dict[str, dict[str, Any]] = {
    "secretAsBearer": {"type": "http", "scheme": "bearer", "description": f"{_ONE}."},
    "secretAsPassword": {
        "type": "http",
        "scheme": "basic",
        "description": f"{_ONE} as the password, with any user name.",
    },
    "secretAlone": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": f"{_ONE}, without a scheme.",
    },
    "secretInHeader": {"type": "apiKey", "in": "header", "name": "X-Cellar-Secret", "description": f"{_ONE}."},
}
"""The ways to present the sender's secret, of which a request needs one, as security schemes of OpenAPI."""
SECRET_HEADERS = tuple(scheme["name"] for scheme in SENDERS_SECRET.values() if scheme["type"] == "apiKey")
"""The headers in which a secret may stand alone."""


def is_sender(headers: Headers) -> bool:
    """Return whether a request presents a webhook secret of the settings."""
    return _is_one_of(presented_secrets(headers), settings().active_webhook_secrets())


def presented_secrets(headers: Headers) -> list[str]:
    """Return what a request presents as its secret. Some may be empty.

    It may stand alone in a header, or in `Authorization` with `Bearer` or as the password of Basic: which of these
    Cellosign sends depends on how its webhook is set up.
    """
    presented = [headers.get(each, "").strip() for each in SECRET_HEADERS]
    scheme, _, rest = headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() == "bearer":
        presented.append(rest.strip())
    elif scheme.lower() == "basic":
        presented.append(_password(rest.strip()))
    return presented


API_TOKEN = HTTPBearer(auto_error=False, scheme_name="apiToken", description="One of `CELLAR_API_TOKENS`.")
"""The way to present an API token, for OpenAPI. `api/gate.py` has checked the token before any route."""


def check_reader(headers: Headers) -> None:
    """Check that a request presents an API token.

    Raises:
        Refused: the token is missing or wrong.
    """
    scheme, _, presented = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not is_api_token(presented.strip()):
        detail = "expected Authorization: Bearer and one of CELLAR_API_TOKENS"
        raise Refused(UNAUTHORIZED, detail, where="Authorization", status=401)


def is_api_token(presented: str) -> bool:
    return _is_one_of([presented], settings().active_api_tokens())


def _password(credentials: str) -> str:
    try:
        return base64.b64decode(credentials, validate=True).decode().partition(":")[2]
    except ValueError:  # not base64, not ASCII, or not UTF-8
        return ""


def _is_one_of(presented: Iterable[str], secrets: Iterable[str]) -> bool:
    """Compare all pairs, each in constant time, so that the time reveals nothing."""
    pairs = [(each.encode(), secret.encode()) for each in presented for secret in secrets if each]
    return sum(hmac.compare_digest(each, secret) for each, secret in pairs) > 0

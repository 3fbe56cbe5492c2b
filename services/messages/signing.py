"""Makes the headers of a message to an endpoint: its id, its signatures, and the endpoint's own headers."""

import base64
import json
from collections.abc import Mapping
from datetime import datetime

from adapters.settings.settings import settings
from adapters.store import kept_endpoints
from domain.messages.signatures import SigningKey, key_of, signatures_of
from models.errors import Locked
from models.messages.notification import EndpointRow, Signature

KEY = "key"
"""What a sealed signing key is bound to, beside the name of its endpoint."""


def headers_of(endpoint: EndpointRow, message_id: str, body: bytes, now: datetime) -> dict[str, str]:
    """Return all headers of a message that is sent at `now`, except `host`.

    Raises:
        Locked: the endpoint's keys cannot be opened.
        Conflict: a key or the headers are damaged.
    """
    timestamp_s = int(now.timestamp())
    return own_headers(endpoint) | {
        "content-type": "application/json",
        "user-agent": "cellar",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": signatures_of(_keys(endpoint, now), message_id, timestamp_s, body),
    }


def own_headers(endpoint: EndpointRow) -> dict[str, str]:
    """Return the headers that a person gave the endpoint. Raises as `headers_of` does."""
    values = sealed_headers(endpoint).items()
    return {name: kept_endpoints.opened(endpoint.name, _bound_to(name), sealed) for name, sealed in values}


def sealed_headers(endpoint: EndpointRow) -> dict[str, str]:
    """Return the endpoint's own headers with sealed values. It needs no key."""
    headers: dict[str, str] = json.loads(endpoint.headers or "{}")
    return headers


def with_sealed_values(name: str, headers: Mapping[str, str]) -> str:
    """Return headers as `EndpointRow.headers` keeps them. Raises as `kept_endpoints.sealed` does."""
    return json.dumps({each: kept_endpoints.sealed(name, _bound_to(each), headers[each]) for each in headers})


def _bound_to(header: str) -> str:
    return f"header {header.lower()}"


def _keys(endpoint: EndpointRow, now: datetime) -> list[SigningKey]:
    """Return the keys that sign at a time, newest first. During a rotation there are two or more."""
    if endpoint.is_declared:
        if not settings().notify_secret:
            raise Locked("CELLAR_NOTIFY_SECRET is not set here, so messages to declared endpoints cannot be signed")
        secret = settings().notify_secret.removeprefix("whsec_")
        return [SigningKey(Signature.HMAC, base64.b64decode(secret))]
    signing = [each for each in endpoint.signing_keys if each.signs_at(now)]
    return [key_of(kept_endpoints.opened(endpoint.name, KEY, each.sealed)) for each in signing]

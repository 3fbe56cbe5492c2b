"""Makes the headers of a message to an endpoint: its id, its signatures, and the endpoint's own headers."""

import base64
from datetime import datetime

from adapters.settings.settings import settings
from domain.messages.signatures import SigningKey, signatures_of
from models.messages.endpoint import EndpointRow, Signature


def headers_of(endpoint: EndpointRow, message_id: str, body: bytes, now: datetime) -> dict[str, str]:
    """Return all headers of a message that is sent at `now`, except `host`.

    Raises:
        Locked: the endpoint's keys cannot be opened.
        Transient: the store does not answer.
    """
    timestamp_s = int(now.timestamp())
    return {
        "content-type": "application/json",
        "user-agent": "cellar",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": signatures_of(_keys(endpoint, now), message_id, timestamp_s, body),
    }


def _keys(_endpoint: EndpointRow, _now: datetime) -> list[SigningKey]:
    secret = settings().notify_secret.removeprefix("whsec_")
    return [SigningKey(Signature.HMAC, base64.b64decode(secret))]

"""HTTP to downstream systems, signed by the Standard Webhooks specification.

Addresses are checked when they are used and the connection goes to the very address that was checked: a name that
resolves to a public address at start and to 169.254.169.254 later gets nothing.
"""

import asyncio
import ipaddress
import socket
from datetime import datetime
from urllib.parse import urlsplit

import httpx
from standardwebhooks import Webhook

from adapters.settings import settings
from models.errors import Refused, Transient

_TIMEOUT_S = 20


async def post(url: str, message_id: str, body: bytes, now: datetime) -> int:
    """POST a signed message and return the status of the answer, whatever it is. Redirects are not followed.

    Raises:
        Refused: the endpoint is on a private address and those are not allowed.
        Transient: no answer came.
    """
    address = await public_address(url)
    parts = urlsplit(url)
    pinned = httpx.URL(url).copy_with(host=address)
    headers = {
        "host": parts.netloc.rpartition("@")[2],
        "content-type": "application/json",
        "user-agent": "cellar",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(settings().notify_secret).sign(message_id, now, body.decode()),
    }
    try:
        async with httpx.AsyncClient(timeout=_TIMEOUT_S) as client:
            answer = await client.post(
                pinned, content=body, headers=headers, extensions={"sni_hostname": parts.hostname}
            )
    except httpx.HTTPError as error:
        raise Transient(f"the endpoint does not answer: {type(error).__name__}") from error
    return answer.status_code


async def public_address(url: str) -> str:
    """Return an address of the endpoint's host that may be called.

    Raises:
        Refused: it is on loopback or a private network, and `CELLAR_NOTIFY_ALLOW_PRIVATE` is not set.
        Transient: the name does not resolve.
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Transient(f"the endpoint's name does not resolve: {type(error).__name__}") from error
    addresses = [str(entry[4][0]) for entry in found]
    if not settings().notify_allow_private and not all(ipaddress.ip_address(each).is_global for each in addresses):
        detail = "the endpoint is on a private address; set CELLAR_NOTIFY_ALLOW_PRIVATE=true to allow that"
        raise Refused("PRIVATE_ENDPOINT", detail)
    return addresses[0]

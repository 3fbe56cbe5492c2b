"""Sends messages to downstream systems by HTTP, signed by the Standard Webhooks specification.

Addresses are checked for each message, and the connection goes to the address that was checked.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

import httpx
from standardwebhooks import Webhook

from adapters.peers.addresses import addresses_of, host_and_port, is_public
from adapters.platform.tls import tls_context
from adapters.settings.settings import settings
from models.errors import Refused, Transient

_TIMEOUT_S = 20


async def post(url: str, message_id: str, body: bytes, now: datetime, *, timeout_s: float = _TIMEOUT_S) -> int:
    """POST a signed message and return the status of the answer, even of an error. Redirects are not followed.

    Raises:
        Refused: the endpoint is no URL, or its address is private and private addresses are not allowed.
        Transient: no answer came in time.
    """
    headers = {
        "content-type": "application/json",
        "user-agent": "cellar",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(settings().notify_secret).sign(message_id, now, body.decode()),
    }
    return await send(url, headers, body, timeout_s=timeout_s)


async def send(url: str, headers: Mapping[str, str], body: bytes, *, timeout_s: float = _TIMEOUT_S) -> int:
    """POST a message with the headers of `services.messages.signing`. Otherwise as `post`."""
    _check(url)
    endpoint = httpx.URL(url)
    headers = {"host": endpoint.netloc.decode(), **headers}
    try:
        # The client's own time-out applies to each read: an answer that trickles in would never reach it.
        async with asyncio.timeout(timeout_s), httpx.AsyncClient(timeout=timeout_s, verify=tls_context()) as client:
            return await _first_answer(client, endpoint, await public_addresses(url), content=body, headers=headers)
    except (httpx.HTTPError, TimeoutError) as error:
        raise Transient(f"the endpoint does not answer: {type(error).__name__}") from error


async def _first_answer(client: httpx.AsyncClient, endpoint: httpx.URL, addresses: list[str], **request: Any) -> int:
    """Return the status from the first address that accepts: `localhost` may be ::1, where no server listens."""
    sni = {"sni_hostname": endpoint.raw_host.decode()}
    for address in addresses[:-1]:
        with suppress(httpx.ConnectError, httpx.ConnectTimeout):
            return await _status(client, endpoint.copy_with(host=address), extensions=sni, **request)
    return await _status(client, endpoint.copy_with(host=addresses[-1]), extensions=sni, **request)


async def _status(client: httpx.AsyncClient, pinned: httpx.URL, **request: Any) -> int:
    async with client.stream("POST", pinned, **request) as answer:
        return answer.status_code  # the rest of the answer is not used, and may be endless


async def public_addresses(url: str) -> list[str]:
    """Return the addresses of the endpoint's host. All of them may be called.

    Raises:
        Refused: the endpoint is no URL, or is on loopback or a private network and `CELLAR_NOTIFY_ALLOW_PRIVATE` is
            not set.
        Transient: the name does not resolve.
    """
    _check(url)
    try:
        addresses = await addresses_of(url)
    except OSError as error:
        raise Transient(f"the endpoint's name does not resolve: {type(error).__name__}") from error
    if not settings().notify_allow_private and not all(map(is_public, addresses)):
        detail = "the endpoint is on a private address; set CELLAR_NOTIFY_ALLOW_PRIVATE=true to allow private addresses"
        raise Refused("PRIVATE_ENDPOINT", detail)
    return addresses


def _check(url: str) -> None:
    try:
        host_and_port(url)
    except ValueError as error:
        raise Refused("BAD_ENDPOINT", "the endpoint is no URL; expected http or https and a host") from error

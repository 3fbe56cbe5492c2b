"""Fetches OCSP answers and CRLs from the servers that certificates name.

Only from public addresses, within limits of size and time, and without redirects. A server that does not answer is
left out: it delays an archive by a few seconds and never fails it.
"""

import asyncio
from collections.abc import Callable, Sequence

import httpx
import structlog

from adapters.peers.addresses import addresses_of, bounded_async, is_public
from adapters.settings.settings import settings
from models.archive.verdict import Wanted

log = structlog.get_logger()

_WITHIN_S = 5
_MOST_BYTES = 16 << 20  # the largest CRLs of public authorities have about 10 MB
_MOST_REQUESTS = 20


async def fetched(wanted: Sequence[Wanted], *, may_call: Callable[[str], bool] = is_public) -> dict[Wanted, bytes]:
    """Return the answers that came in time, all servers asked at once.

    Args:
        may_call: Whether an address may be called. A test allows its own server on loopback.
    """
    asked = wanted[:_MOST_REQUESTS]
    answers = await asyncio.gather(*(_answer(each, may_call) for each in asked))
    return {each: answer for each, answer in zip(asked, answers, strict=True) if answer is not None}


async def _answer(wanted: Wanted, may_call: Callable[[str], bool]) -> bytes | None:
    try:
        async with asyncio.timeout(_WITHIN_S):
            addresses = await asyncio.to_thread(addresses_of, wanted.url, may_call)
            proxy = None if addresses else settings().outgoing_proxy
            options = bounded_async(_MOST_BYTES, _WITHIN_S)
            async with httpx.AsyncClient(proxy=proxy, trust_env=False, **options) as client:
                address = addresses[0] if addresses else None
                return await _body(client, httpx.URL(wanted.url), address, bytes.fromhex(wanted.request))
    except (httpx.HTTPError, OSError, ValueError, TimeoutError) as error:
        log.warning("no revocation data", kind="ocsp" if wanted.request else "crl", error=type(error).__name__)
        return None


async def _body(client: httpx.AsyncClient, url: httpx.URL, address: str | None, request: bytes) -> bytes:
    headers = {"host": url.netloc.decode(), "user-agent": "cellar"}
    if request:
        headers["content-type"] = "application/ocsp-request"
    answer = await client.request(
        "POST" if request else "GET",
        url.copy_with(host=address) if address else url,
        content=request or None,
        headers=headers,
        extensions={"sni_hostname": url.raw_host.decode()},
    )
    if answer.status_code != httpx.codes.OK:  # redirects are not followed
        raise ValueError("another status than 200")
    return answer.content

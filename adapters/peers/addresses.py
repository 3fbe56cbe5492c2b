"""Resolves the host of a URL, and says which addresses are on the public internet, and whether a proxy leads there.

A connection goes to the address that was checked. A name that resolves to a public address first and to
169.254.169.254 later gets no connection. Behind `CELLAR_OUTGOING_PROXY`, the proxy resolves names itself: what resolves
to a private address here is refused or reached directly as without it, and the proxy alone can refuse what it resolves
otherwise. `fault_at` connects, sends no message, and says why the connection fails.

The answers of all peers are bounded while they are read, in size and time.
"""

import asyncio
import ipaddress
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import lru_cache
from typing import Any

import httpx

from adapters.settings.settings import settings


@lru_cache
def tls_context() -> ssl.SSLContext:
    """Return the TLS context with the trusted authorities. Loading it takes 30 ms of a core; httpx would load it for
    each client.
    """
    return httpx.create_ssl_context()


MOST_BYTES_OF_PREFECT = 16 << 20


def bounded(most_bytes: int, within_s: float) -> Any:
    """Return the options of an `httpx.Client` whose answers have at most `most_bytes`, and end within a time.

    What goes beyond is an `httpx.TransportError`, like an answer that breaks off. The time counts from the headers. No
    answer may be packed: unpacking could make gigabytes of a small one.
    """

    def _bound(answer: httpx.Response) -> None:
        if answer.headers.get("content-encoding", "identity") != "identity":
            raise httpx.RemoteProtocolError("the answer is packed")
        answer.stream = _Bounded(answer.stream, most_bytes, within_s)

    headers, hooks = {"accept-encoding": "identity"}, {"response": [_bound]}
    return {"timeout": within_s, "verify": tls_context(), "headers": headers, "event_hooks": hooks}


def bounded_async(most_bytes: int, within_s: float) -> Any:
    """Return the same for an asynchronous client."""
    options = bounded(most_bytes, within_s)
    (bound,) = options["event_hooks"]["response"]

    async def _bound(answer: httpx.Response) -> None:
        bound(answer)

    return {**options, "event_hooks": {"response": [_bound]}}


class _Bounded(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __init__(self, stream: Any, most_bytes: int, within_s: float) -> None:
        self._stream = stream
        self._left_bytes = most_bytes
        self._ends_s = time.monotonic() + within_s

    def __iter__(self) -> Iterator[bytes]:
        for part in self._stream:
            yield self._within_bounds(part)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            yield self._within_bounds(part)

    def _within_bounds(self, part: bytes) -> bytes:
        self._left_bytes -= len(part)
        if self._left_bytes < 0:
            raise httpx.ReadError("the answer is too large")
        if time.monotonic() > self._ends_s:
            raise httpx.ReadTimeout("the answer takes too long")
        return part

    def close(self) -> None:
        self._stream.close()

    async def aclose(self) -> None:
        await self._stream.aclose()


_PORTS = {"http": 80, "https": 443}
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_WITHOUT_ENDPOINTS = [
    ipaddress.ip_network(each)
    for each in (
        "168.63.129.16/32",  # what Azure tells its machines, secrets too
        "161.26.0.0/16",  # services inside IBM's cloud
        "192.88.99.0/24",  # relays of 6to4, retired
        "192.31.196.0/24",  # empty answers of DNS (AS112), as the next two
        "192.175.48.0/24",
        "2620:4f:8000::/48",
        "192.52.193.0/24",  # relays of multicast
        "2001::/23",  # of protocols, Teredo among them
        "3fff::/20",  # of documentation; older Pythons call it global
    )
]
"""Networks that Python calls global, all or some, and on which no endpoint is."""


def addresses_of(url: str, may_call: Callable[[str], bool]) -> list[str]:
    """Return the addresses of the host of a URL, all of which may be called; none if the outgoing proxy leads there.

    Raises:
        ValueError: it is no URL of http or https with a host.
        PermissionError: an address may not be called.
        OSError: the name does not resolve.
    """
    host, port = host_and_port(url)
    proxy = settings().outgoing_proxy
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        if proxy:
            return []
        raise error if isinstance(error, OSError) else OSError("the name cannot be encoded") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not all(map(may_call, addresses)):
        raise PermissionError("the address is private")
    return [] if proxy and all(map(is_public, addresses)) else addresses


def proxy_to(url: str) -> str | None:
    """Return the proxy that leads to a URL; None if it is reached directly: all clients of what lies outside ask."""
    proxy = settings().outgoing_proxy
    return proxy if proxy and not addresses_of(url, lambda _: True) else None


def host_and_port(url: str) -> tuple[str, int]:
    """Return host and port as httpx parses them for the request: another parser could see another host in the URL.

    Raises ValueError if it is no URL of http or https with a host.
    """
    try:
        parsed = httpx.URL(url)
        host, port = parsed.raw_host.decode(), parsed.port or _PORTS[parsed.scheme]
    except (httpx.InvalidURL, KeyError) as error:
        raise ValueError("no URL of http or https") from error
    if not host or not 0 < port < 1 << 16:
        raise ValueError("the URL has no host or a wrong port")
    return host, port


def is_public(address: str) -> bool:
    """Return whether an address is on the public internet. For NAT64, the IPv4 address behind the gateway decides.

    Addresses of 6to4 and Teredo, and those that stand for an IPv4 address (`::ffff:…`), never are.
    """
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address) and ip in _NAT64:
        ip = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    if any(ip in each for each in _WITHOUT_ENDPOINTS):
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        return ip.is_global and ip in _GLOBAL_UNICAST and ip.sixtofour is None
    return ip.is_global and not ip.is_multicast


_TIMEOUT_S = 5
_OF_PROXY = {403, 407, 502, 503, 504}
_CAUSES = (ssl.SSLCertVerificationError, ConnectionRefusedError, TimeoutError)


async def fault_at(url: str, address: str | None) -> str | None:
    """Return why no connection to an address of a URL's host can be made now; None if one can.

    Args:
        address: an address that was checked, see `downstream.public_addresses`; None: by the outgoing proxy.
    """
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            await (_connect(url, address) if address else _ask_by_proxy(url))
    except (OSError, httpx.HTTPError) as error:
        return _fault(error)
    return None


async def _connect(url: str, address: str) -> None:
    host, port = host_and_port(url)
    is_tls = httpx.URL(url).scheme == "https"
    _, writer = await asyncio.open_connection(
        address, port, ssl=tls_context() if is_tls else None, server_hostname=host if is_tls else None
    )
    writer.transport.abort()


async def _ask_by_proxy(url: str) -> None:
    """Ask a host for the head of its first page, by the way of messages: proxies refuse a tunnel to a port of http."""
    proxy = settings().outgoing_proxy
    async with httpx.AsyncClient(proxy=proxy, trust_env=False, verify=tls_context(), timeout=_TIMEOUT_S) as client:
        answer = await client.head(httpx.URL(url).join("/"))
    if httpx.URL(url).scheme == "http" and answer.status_code in _OF_PROXY:
        raise httpx.ProxyError(str(answer.status_code))


def _fault(error: Exception) -> str:
    if isinstance(error, httpx.ProxyError):
        return f"the outgoing proxy answers {str(error)[:3]}"
    cause: BaseException | None = error
    while cause and not isinstance(cause, _CAUSES):
        cause = cause.__cause__ or cause.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is refused: {cause.verify_message}"
    if isinstance(cause, ConnectionRefusedError):
        return "the connection is refused: no server listens at its port"
    return f"no connection within {_TIMEOUT_S} s" if cause else f"no connection: {type(error).__name__}"

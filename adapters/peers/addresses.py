"""Resolves the host of a URL, and says which addresses are on the public internet, and whether a proxy leads there.

A connection goes to the address that was checked. A name that resolves to a public address first and to
169.254.169.254 later gets no connection. Behind `CELLAR_OUTGOING_PROXY`, the proxy resolves names itself: what resolves
to a private address here is refused or reached directly as without it, and the proxy alone can refuse what it resolves
otherwise. `fault_at` connects, sends nothing, and says why the connection fails.
"""

import asyncio
import ipaddress
import socket
import ssl
from base64 import b64encode
from collections.abc import Callable

import httpx

from adapters.peers.answers import tls_context
from adapters.settings.settings import settings

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

    Raises:
        ValueError: it is no URL of http or https with a host.
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


async def fault_at(url: str, address: str | None) -> str | None:
    """Return why no connection to an address of a URL's host can be made now; None if one can.

    Args:
        address: an address that was checked, see `downstream.public_addresses`; None: by the outgoing proxy.
    """
    host, port = host_and_port(url)
    is_tls = httpx.URL(url).scheme == "https"
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            _, writer = await (asyncio.open_connection(address, port) if address else _tunnel(host, port))
            if is_tls:
                await writer.start_tls(tls_context(), server_hostname=host)
    except (OSError, ValueError) as error:
        return _fault(error)
    writer.transport.abort()
    return None


def _fault(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is refused: {error.verify_message}"
    if isinstance(error, ConnectionRefusedError):
        return "the connection is refused: no server listens at its port"
    if isinstance(error, TimeoutError):
        return f"no connection within {_TIMEOUT_S} s"
    return str(error) if isinstance(error, _ProxyRefusal) else f"no connection: {type(error).__name__}"


class _ProxyRefusal(OSError):
    """The outgoing proxy makes no connection."""


async def _tunnel(host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return a connection to a host that the outgoing proxy has made."""
    proxy = httpx.Proxy(settings().outgoing_proxy or "")
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    tls = tls_context() if proxy.url.scheme == "https" else None
    reader, writer = await asyncio.open_connection(*host_and_port(str(proxy.url)), ssl=tls)
    lines = [f"CONNECT {place} HTTP/1.1", f"host: {place}"]
    if proxy.raw_auth:
        lines.append(f"proxy-authorization: Basic {b64encode(b':'.join(proxy.raw_auth)).decode()}")
    writer.write("\r\n".join([*lines, "", ""]).encode())
    status = (await reader.readline())[9:12]
    if status != b"200":
        writer.transport.abort()
        raise _ProxyRefusal(f"the outgoing proxy answers {status.decode(errors='replace') or 'nothing'}")
    while await reader.readline() not in (b"\r\n", b""):
        pass
    return reader, writer

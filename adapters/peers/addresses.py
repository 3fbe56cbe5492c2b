"""Resolves the host of a URL, and says which addresses are on the public internet.

A connection goes to the address that was checked. A name that resolves to a public address first and to
169.254.169.254 later gets no connection. `fault_at` connects, sends nothing, and says why the connection fails.
"""

import asyncio
import ipaddress
import socket
import ssl

import httpx

from adapters.peers.answers import tls_context

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


async def addresses_of(url: str) -> list[str]:
    """Return the addresses of the host of a URL.

    Raises:
        ValueError: it is no URL of http or https with a host.
        OSError: the name does not resolve.
    """
    host, port = host_and_port(url)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError("the name cannot be encoded") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


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


async def fault_at(url: str, address: str) -> str | None:
    """Return why no connection to an address of a URL's host can be made now; None if one can.

    Args:
        address: an address that was checked, see `downstream.public_addresses`.
    """
    host, port = host_and_port(url)
    is_tls = httpx.URL(url).scheme == "https"
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            _, writer = await asyncio.open_connection(
                address, port, ssl=tls_context() if is_tls else None, server_hostname=host if is_tls else None
            )
    except ssl.SSLCertVerificationError as error:
        return f"its certificate is refused: {error.verify_message}"
    except ConnectionRefusedError:
        return "the connection is refused: no server listens at its port"
    except TimeoutError:
        return f"no connection within {_TIMEOUT_S} s"
    except OSError as error:
        return f"no connection: {type(error).__name__}"
    writer.transport.abort()
    return None

"""Connects to an endpoint, sends nothing, and says why the connection fails."""

import asyncio
import ssl

import httpx

from adapters.peers.addresses import host_and_port
from adapters.platform.tls import tls_context

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

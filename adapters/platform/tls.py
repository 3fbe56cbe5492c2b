"""TLS for outgoing calls."""

import ssl
from functools import lru_cache

import httpx


@lru_cache
def tls_context() -> ssl.SSLContext:
    """Return the TLS context with the trusted authorities. Loading it takes 30 ms of a core; httpx would load it for
    each client.
    """
    return httpx.create_ssl_context()

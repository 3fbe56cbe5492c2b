"""TLS for outgoing calls."""

import ssl
from functools import lru_cache

import httpx


@lru_cache
def tls_context() -> ssl.SSLContext:
    """The authorities that are trusted. Reading them takes 30 ms of a core, and httpx does so for each client."""
    return httpx.create_ssl_context()

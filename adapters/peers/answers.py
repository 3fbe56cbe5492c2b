"""TLS for calls to peers, and bounds of their answers while they are read: size and time, whatever a peer sends."""

import ssl
import time
from collections.abc import AsyncIterator, Iterator
from functools import lru_cache
from typing import Any

import httpx


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

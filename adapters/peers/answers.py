"""Bounds the answers of peers while they are read: size and time, whatever the peer announces or sends."""

import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx

NOT_PACKED = {"accept-encoding": "identity"}
"""The header to send: unpacking could make gigabytes of a small answer."""

MOST_BYTES_OF_PREFECT = 16 << 20


def bounded(most_bytes: int, within_s: float) -> Any:
    """Return the `event_hooks` of a client whose answers have at most `most_bytes`, and end within a time.

    What goes beyond is an `httpx.TransportError`, like an answer that breaks off. The time counts from the headers.
    """

    def _bound(answer: httpx.Response) -> None:
        if answer.headers.get("content-encoding", "identity") != "identity":
            raise httpx.RemoteProtocolError("the answer is packed")
        answer.stream = _Bounded(answer.stream, most_bytes, within_s)

    return {"response": [_bound]}


def bounded_async(most_bytes: int, within_s: float) -> Any:
    """Return the same for an asynchronous client."""
    (bound,) = bounded(most_bytes, within_s)["response"]

    async def _bound(answer: httpx.Response) -> None:
        bound(answer)

    return {"response": [_bound]}


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

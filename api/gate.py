"""Stands before all routes, and decides what a request may cost before it has shown a secret.

FastAPI parses the body of a request before it looks at the token. So the token of a reader is checked here, which says
who calls, and a body is read here only for a reader: as a whole, up to 1 MB. The webhook and the console's forms read
bodies themselves, once they know their sender. All other bodies stay unread.

An answer goes out before the body has ended, if nobody has asked for the rest. Then a bounded rest is read and dropped:
if the connection were closed while the client still sends, it would be reset, and the client might miss the answer.

What costs a stranger nothing, refusals and pages alike, goes out one answer after the other, 20 ms apart, once an
address has had many in a minute. So a flood leaves the event loop to honest senders, whose requests never wait.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress

from fastapi import Request
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.settings.settings import settings
from api.authorization import network_of, reader_of
from models.errors import Refused

WEBHOOKS = "/webhooks"
UPLOADS = ("/console/payments/reports", "/console/missing/list")
"""Pages of the console to which people send files. Each reads its body itself, once its caller may act."""
DROP_BODY = "cellar.drop_body"
"""The extension of ASGI by which the server drops a body that nobody wants: `drop` returns whether it was all."""
_NO_GUESSES = {b"x-content-type-options": b"nosniff"}
"""Forbids browsers to guess media types: an attached file may look like a page or a script."""
_MOST_BYTES = 1_000_000
_DROPPED_BYTES = 1 << 20
_DROPPED_BYTES_OF_FILES = 64 << 20
_URL_BYTES, _PARAMETERS = 16 << 10, 1000
_REFUSED = {400, 401, 403, 404, 405, 408, 413, 414, 429}
_UNCOUNTED = (WEBHOOKS, "/oauth/token", "/healthz", "/readyz")
"""Where an answer that refuses nothing goes to a sender who has shown a secret, or to a probe."""
_STRANGERS, _TURN_S, _MOST_WAITING = RateLimitItemPerMinute(30), 0.02, 256
_MOST_NETWORKS = 10_000
_MIN_BYTES_PER_S = 1024  # 20 MB would take five hours: no line between servers is that slow
NextChunk = Callable[[Awaitable[bytes | None], float], Awaitable[bytes | None]]
"""Waits for a chunk, as long as it may take: `Place.next_chunk`, or `asyncio.wait_for`."""


class Gate:
    """Middleware that lets a request in, or has `refuse` answer it."""

    def __init__(self, app: ASGIApp, refuse: Callable[[Request, Refused], Awaitable[Response]]) -> None:
        self._app = app
        self._refuse = refuse
        self._counts = MemoryStorage()
        self._limiter = FixedWindowRateLimiter(self._counts)
        self._waiting, self._turn = asyncio.Semaphore(_MOST_WAITING), asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})
        send = with_headers(send, _NO_GUESSES)
        exchange = _Exchange(scope, receive, send, self._pause)
        request = Request(scope, exchange.receive)
        try:
            _check_url(scope)
            if not (scope["path"].startswith("/api/") or scope["path"] in ("/api", "/metrics")):  # no reader
                await self._app(scope, exchange.receive, exchange.send)
                return
            scope["state"]["caller"] = await reader_of(request)
            if not exchange.is_read:
                receive = _again(await read_body(request, _MOST_BYTES), receive)
        except Refused as refused:
            answer = await self._refuse(request, refused)
            await answer(scope, exchange.receive, exchange.send)
        else:
            await self._app(scope, receive, send)

    async def _pause(self, address: str) -> None:
        """Wait for the turn of an address that has had many answers in this minute, unless many wait already."""
        network = network_of(address) if len(self._counts.storage) < _MOST_NETWORKS else ""
        is_seldom = self._limiter.hit(_STRANGERS, network)
        if not is_seldom and not self._waiting.locked():
            async with self._waiting, self._turn:
                await asyncio.sleep(_TURN_S)


async def read_body(request: Request, most_bytes: int) -> bytes:
    """Return the body of a request.

    Raises:
        Refused: it is too large, which its length may say before it arrives; or it comes too slowly, or not to its end.
    """
    body = bytearray()
    _check_size(int(request.headers.get("content-length", 0)), most_bytes)
    try:
        async for chunk in in_time(request.stream()):
            _check_size(len(body) + len(chunk), most_bytes)
            body += chunk
    except ClientDisconnect as error:
        raise disconnected() from error
    return bytes(body)


def disconnected() -> Refused:
    """Return the refusal that nobody reads any more. It is counted."""
    return Refused("DISCONNECTED", "the sender disconnected before the end of the body", where="body", status=400)


async def in_time(chunks: AsyncIterator[bytes], next_chunk: NextChunk = asyncio.wait_for) -> AsyncIterator[bytes]:
    """Yield chunks, as long as the sender neither stops nor sends too slowly.

    A slow sender could hold its place without limit. Only the time spent waiting for the sender counts, since the disk
    may be slow too. The rate counts over twice the longest pause: an honest sender may have paused for half of it.

    Raises Refused if the sender stops or is too slow.
    """
    window_s = settings().body_timeout_s
    clock = asyncio.get_running_loop().time
    waited_s, come_bytes = 0.0, 0
    while True:
        since_s = clock()
        try:
            chunk = await next_chunk(anext(chunks, None), window_s)
        except TimeoutError:
            raise _timeout(f"no bytes came for {window_s:g} s in the middle of the body") from None
        if chunk is None:
            return
        waited_s += clock() - since_s
        come_bytes += len(chunk)
        if waited_s >= 2 * window_s:
            if come_bytes < _MIN_BYTES_PER_S * waited_s:
                raise _timeout(f"less than {_MIN_BYTES_PER_S} bytes a second came for {waited_s:.0f} s")
            waited_s, come_bytes = 0.0, 0
        yield chunk


def with_headers(send: Send, headers: Mapping[bytes, bytes]) -> Send:
    """Return a `send` that adds the headers that an answer does not have itself."""

    async def _send(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = {name.lower() for name, _ in message["headers"]}
            added = [(name, value) for name, value in headers.items() if name not in own]
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return _send


class _Exchange:
    """A request and its answer, between the server and the application."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, pause: Callable[[str], Awaitable[None]]) -> None:
        self._receive = receive
        self._send = send
        self._drop = scope.get("extensions", {}).get(DROP_BODY, {}).get("drop")
        self._address = scope["client"][0] if scope["client"] else ""
        self._scope, self._pause = scope, pause
        has_files = scope["path"].startswith((WEBHOOKS, *UPLOADS))
        self._left_bytes = _DROPPED_BYTES_OF_FILES if has_files else _DROPPED_BYTES
        self._is_early = False
        self.is_read = not _announces_body(scope)

    async def receive(self) -> Message:
        message = await self._receive()
        self.is_read = not message.get("more_body", False)  # the body has ended, or the sender has disconnected
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._is_early = not (self.is_read or (self._drop and self._drop()))
            if _costs_nothing(self._scope, message["status"]):
                await self._pause(self._address)
            if self._is_early:
                message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        elif self._is_early and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._drop_rest()
            message = {"type": "http.response.body", "body": b""}
        await self._send(message)

    async def _drop_rest(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(settings().body_timeout_s):
                while self._left_bytes > 0 and not self.is_read:
                    message = await self.receive()
                    self._left_bytes -= len(message.get("body", b"")) + message.get("dropped_bytes", 0)


def _costs_nothing(scope: Scope, status: int) -> bool:
    """Return whether nobody has shown a login or a token, nor a secret that lets in, for an answer."""
    return "caller" not in scope["state"] and (status in _REFUSED or not scope["path"].startswith(_UNCOUNTED))


def _announces_body(scope: Scope) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0"))
        for name, value in scope["headers"]
    )


def _check_url(scope: Scope) -> None:
    query = scope["query_string"]
    if len(scope["raw_path"]) + len(query) > _URL_BYTES or query.count(b"&") >= _PARAMETERS:
        detail = f"expected at most {_URL_BYTES} bytes and {_PARAMETERS} parameters"
        raise Refused("URL_TOO_LONG", detail, where="URL", status=414)


def _again(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives a body that was read, and then what comes behind it."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def _receive() -> Message:
        return messages.pop() if messages else await receive()

    return _receive


def _check_size(size_bytes: int, most_bytes: int) -> None:
    if size_bytes > most_bytes:
        raise Refused("TOO_LARGE", f"expected at most {most_bytes} bytes", where="body", status=413)


def _timeout(detail: str) -> Refused:
    return Refused("BODY_TIMEOUT", detail, where="body", status=408)

"""uvicorn's HTTP protocol, for large bodies and slow senders.

uvicorn copies a body twice on its way to the application and stops reading at 64 KiB; it waits for ever for a request's
head. This protocol hands each chunk on as it was read, reads on up to 1 MiB while the application works, and gives up a
sender whose head does not come.
"""

import asyncio
import json
from collections import deque
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from adapters.settings import settings

_READ_AHEAD_BYTES = 2 << 20


class Protocol(HttpToolsProtocol):
    """One connection."""

    _body: "_Body"
    _rest_bytes = 0  # of a body that announced its length
    _head_timeout: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_no_head()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._head_timeout is None:
            self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Take what has come. The middle of a body of known length needs no parser, which would copy it."""
        self._unset_keepalive_if_required()
        body, behind = data[: self._rest_bytes], data[self._rest_bytes :]
        if body:
            self._take_body(body)
            if not self._rest_bytes:
                self.parser = httptools.HttpRequestParser(self)
                self.on_message_complete()
        if behind:
            self._parse(behind)

    def _parse(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            # Java's HttpClient offers HTTP/2 along with its first request. The parser takes what follows for the other
            # protocol; to a server that does not speak it, it is the body.
            self.parser = httptools.HttpRequestParser(self)
            self.data_received(data[offer.args[0] :])
        except httptools.HttpParserError:
            self._refuse(HTTPStatus.BAD_REQUEST, "NOT_HTTP: expected a request of HTTP/1.1")

    def on_headers_complete(self) -> None:
        self._expect_no_head()
        super().on_headers_complete()
        self._body = _Body(self.cycle)
        # The task that calls the application takes `receive` from the cycle when it starts, which is later.
        self.cycle.receive = self._body.receive  # type: ignore[method-assign]
        self._rest_bytes = int(dict(self.headers).get(b"content-length", b"0"))

    def on_body(self, body: bytes) -> None:
        self._take_body(body)

    def on_message_complete(self) -> None:
        if not self._rest_bytes:
            super().on_message_complete()

    def _take_body(self, body: bytes) -> None:
        self._rest_bytes = max(0, self._rest_bytes - len(body))  # a chunked body announces no length
        if not self.cycle.response_complete:
            self._body.append(body)

    def _expect_head(self) -> None:
        self._head_timeout = self.loop.call_later(settings().header_timeout_s, self._give_up)

    def _expect_no_head(self) -> None:
        if self._head_timeout:
            self._head_timeout.cancel()
            self._head_timeout = None

    def _give_up(self) -> None:
        why = f"HEADER_TIMEOUT: no whole head of a request within {settings().header_timeout_s:g} s"
        self._refuse(HTTPStatus.REQUEST_TIMEOUT, why)

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        """Answer what is no request yet, in the documented shape, and close."""
        content = json.dumps({"status": "-1", "document": None, "errordesc": why}).encode()
        lines = ("connection: close", "content-type: application/json", f"content-length: {len(content)}", "", "")
        head = "\r\n".join((f"HTTP/1.1 {status.value} {status.phrase}", *lines))
        self.transport.write(head.encode() + content)
        self.transport.close()


class _Body:
    """The chunks of a request's body, between the parser and the application."""

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._chunks: deque[bytes] = deque()
        self._size_bytes = 0
        self._is_end_told = False

    def append(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._size_bytes += len(chunk)
        if self._size_bytes >= _READ_AHEAD_BYTES:
            self._cycle.flow.pause_reading()
        self._cycle.message_event.set()

    async def receive(self) -> Any:
        """ASGI's `receive`, with the flags and the event of uvicorn's cycle."""
        cycle = self._cycle
        if cycle.waiting_for_100_continue and not cycle.transport.is_closing():
            cycle.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            cycle.waiting_for_100_continue = False
        while not self._has_news():
            cycle.flow.resume_reading()
            cycle.message_event.clear()
            await cycle.message_event.wait()
        if cycle.disconnected or cycle.response_complete:
            return {"type": "http.disconnect"}
        chunk = self._chunks.popleft() if self._chunks else b""
        self._size_bytes -= len(chunk)
        self._is_end_told = not (cycle.more_body or self._chunks)
        return {"type": "http.request", "body": chunk, "more_body": not self._is_end_told}

    def _has_news(self) -> bool:
        cycle = self._cycle
        is_ended = not cycle.more_body and not self._is_end_told
        return cycle.disconnected or cycle.response_complete or bool(self._chunks) or is_ended

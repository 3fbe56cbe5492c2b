"""Adapts uvicorn's HTTP protocol to large bodies and slow senders.

uvicorn copies a body twice on its way to the application, waits without limit for a request head of any size, and loses
the body of a request that offers an upgrade. When a connection is lost, it tells only the last request, and an earlier
one fails while it answers. This protocol hands each chunk on as it was read, and reads on when the application asks: up
to 1 MiB from the socket itself, where the transport would copy 256 KB. It gives up on a sender whose head does not come
in time, refuses a head that is too large or whose path is ambiguous, ignores the offer, and tells every request.
"""

import asyncio
import json
import os
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import httptools
import structlog
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from adapters.observation.metrics import INVALID_REQUESTS
from adapters.settings.settings import settings
from api.gate import DROP_BODY
from api.references import check_path
from models.errors import Refused

log = structlog.get_logger()

_READ_AT_ONCE_BYTES = 1 << 20
_READ_AHEAD_BYTES = 64 << 10
_CHUNK_COSTS_BYTES = 64  # memory of a `bytes` object beside its content
_HEAD_BYTES = 64 << 10
_HEADERS = 100
_DIGITS = 100
_WAITING_REQUESTS = 16
_END_OF_HEAD = b"\r\n\r\n"
_CHUNKED_HEAD = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"


class Protocol(HttpToolsProtocol):
    """The protocol of one connection."""

    flow: "_Flow"
    _body: "_Body"
    _kept_back = b""  # bytes that are not parsed until an answer has gone out
    _rest_bytes = 0  # bytes still to come of a body that announced its length
    _is_in_chunks = False  # the parser reads a chunked body
    _fruitless_bytes = 0  # bytes that the parser read since the last whole head or piece of a body
    _is_refused = False  # nothing is read after a refusal
    _is_offer_chunked = False  # the request offers an upgrade, and its body is chunked
    _head_timeout: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._unanswered = deque[RequestResponseCycle]()
        self.flow = _Flow(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_no_head()
        super().connection_lost(exc)
        for each in self._unanswered:
            each.disconnected = True
            each.message_event.set()

    def data_received(self, data: bytes) -> None:
        """Process the bytes that arrived, unless a request waits for the answer to an earlier request.

        The middle of a body of known length bypasses the parser, which would copy it.
        """
        self._unset_keepalive_if_required()
        data = self._kept_back + data
        while data and not self.pipeline and not self._is_refused:
            data = self._take_body(data) if self._rest_bytes else self._parse(data)
        self._kept_back = b"" if self._is_refused else data
        if self._kept_back:
            self.flow.hold()
        if not self._is_answer_owed() and not self.transport.is_closing() and not self._head_timeout:
            self._expect_head()

    def _take_body(self, data: bytes) -> bytes:
        """Hand on bytes of the body, and return the bytes behind the body."""
        body, behind = data[: self._rest_bytes], data[self._rest_bytes :]
        self.on_body(body)
        if not self._rest_bytes:
            self.parser = httptools.HttpRequestParser(self)
            self.on_message_complete()
        return behind

    def read_on(self) -> None:
        """Read what has come of a body of known length. The transport notices a lost connection when it reads again.

        Bytes that are kept back come before those in the socket.
        """
        if self._rest_bytes and not self._kept_back and not self.transport.is_closing():
            descriptor = self.transport.get_extra_info("socket").fileno()
            with suppress(OSError):
                self._take_body(os.read(descriptor, min(self._rest_bytes, _READ_AT_ONCE_BYTES)))

    def _parse(self, data: bytes) -> bytes:
        """Parse bytes, and return those that the parser has not read: behind a head, or behind an offer of an upgrade.

        The parser joins the pieces of a header, which costs the square of their number, and does so before the sender
        is authorised. So the parser never gets more bytes than a head may have. The same bound applies to the bytes
        between the chunks of a body and behind them.
        """
        piece = data if self._is_in_chunks else self._piece_of_head(data)
        self._fruitless_bytes += len(piece)
        behind = self._feed(piece) + data[len(piece) :]
        if self._fruitless_bytes >= _HEAD_BYTES:
            self._refuse(_too_large())
        return behind

    def _piece_of_head(self, data: bytes) -> bytes:
        room_bytes = _HEAD_BYTES - self._fruitless_bytes
        end = data.find(_END_OF_HEAD, 0, room_bytes)
        return data[: room_bytes if end < 0 else end + len(_END_OF_HEAD)]

    def _feed(self, data: bytes) -> bytes:
        """Feed the parser, and return the bytes behind an offer of an upgrade.

        Java's HttpClient offers HTTP/2 with its first request. The parser takes the bytes that follow for HTTP/2. To a
        server without HTTP/2 they are the body (RFC 9110, 7.8).
        """
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self.parser = httptools.HttpRequestParser(self)
            if self._is_offer_chunked:
                self.parser = httptools.HttpRequestParser(_ChunkedRest(self))
                self.parser.feed_data(_CHUNKED_HEAD)
            return data[offer.args[0] :]
        except httptools.HttpParserError as error:
            cause = error.__context__  # the exception of a callback below
            self._refuse(cause if isinstance(cause, Refused) else _not_http())
        return b""

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= _WAITING_REQUESTS:  # behind a chunked body, where the parser does not stop
            raise Refused("TOO_MANY_REQUESTS", f"expected at most {_WAITING_REQUESTS} requests behind a chunked body")
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_in_chunks:  # a trailer, which is ignored
            return
        if len(self.headers) >= _HEADERS:
            raise _too_large()
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._expect_no_head()
        self._fruitless_bytes = 0
        headers = dict(self.headers)
        _check_framing(self.parser.get_http_version(), self.headers)
        self._rest_bytes = _announced_bytes(headers)
        check_path(httptools.parse_url(self.url).path or b"")
        super().on_headers_complete()
        self._unanswered.append(self.cycle)
        self._body = _Body(self)
        # The task that calls the application reads `receive` from the cycle when it starts, which is later.
        self.cycle.receive = self._body.receive  # type: ignore[method-assign]
        self.scope["extensions"] = {DROP_BODY: {"drop": self._body.drop}}
        is_chunked = b"transfer-encoding" in headers
        self._is_in_chunks = is_chunked
        self._is_offer_chunked = is_chunked and self.parser.should_upgrade()
        if self._is_offer_chunked:
            self.cycle.keep_alive = False  # the parser of the rest of the body cannot parse a next request

    def on_body(self, body: bytes) -> None:
        self._fruitless_bytes = 0
        self._rest_bytes = max(0, self._rest_bytes - len(body))  # a chunked body announces no length
        if body and self.cycle.more_body and not self.cycle.response_complete:
            self._body.append(body)

    def on_message_complete(self) -> None:
        if not self._rest_bytes and not self._is_offer_chunked:
            self._is_in_chunks = False
            super().on_message_complete()

    def chunked_rest_complete(self) -> None:
        self._is_offer_chunked = False
        self.on_message_complete()

    def on_response_complete(self) -> None:
        self.flow.is_held = False
        self._unanswered.popleft()
        super().on_response_complete()
        if self._kept_back and not self.transport.is_closing():
            self.data_received(b"")

    def _is_answer_owed(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _expect_head(self) -> None:
        self._head_timeout = self.loop.call_later(_head_within_s(), self._give_up)

    def _expect_no_head(self) -> None:
        if self._head_timeout:
            self._head_timeout.cancel()
            self._head_timeout = None

    def _give_up(self) -> None:
        why = f"no complete request head arrived within {_head_within_s():g} s"
        self._refuse(Refused("HEADER_TIMEOUT", why, status=HTTPStatus.REQUEST_TIMEOUT))

    def _refuse(self, refused: Refused) -> None:
        """Answer an invalid request in the documented shape, and close. An answer that is owed goes out first."""
        self._is_refused = True
        is_body_broken = self._is_answer_owed() and self.cycle.more_body and not self.cycle.response_started
        if self._is_answer_owed() and (self.pipeline or not is_body_broken):
            self.cycle.keep_alive = False
            return
        INVALID_REQUESTS.labels(refused.code).inc()
        log.info("an invalid request is refused", why=str(refused))
        told = HTTPStatus.OK if settings().error_http == "200" else HTTPStatus(refused.status)
        content = json.dumps({"status": "-1", "document": None, "errordesc": str(refused)}).encode()
        lines = ("connection: close", "content-type: application/json", f"content-length: {len(content)}", "", "")
        head = "\r\n".join((f"HTTP/1.1 {told.value} {told.phrase}", *lines))
        self.transport.write(head.encode() + content)
        self.transport.close()


def _head_within_s() -> float:
    return settings().body_timeout_s / 3


def _check_framing(version: str, headers: Sequence[tuple[bytes, bytes]]) -> None:
    """Check what a proxy and the parser could read as two different requests. Raises Refused.

    The parser reads any coding before `chunked` as part of the body, and asks for no host. It refuses a body that
    announces a length beside its chunks, and two lengths.

    Source: RFC 9112, sections 3.2 and 6.1.
    """
    codings = [value.strip().lower() for name, value in headers if name == b"transfer-encoding"]
    hosts = sum(name == b"host" for name, _ in headers)
    if codings not in ([], [b"chunked"]) or (codings and version == "1.0"):
        raise _not_http("with no Transfer-Encoding but `chunked`")
    if hosts > 1 or (not hosts and version != "1.0"):
        raise _not_http("with one Host")


def _not_http(which: str = "") -> Refused:
    return Refused("NOT_HTTP", f"expected an HTTP/1.1 request {which}".rstrip(), status=HTTPStatus.BAD_REQUEST)


def _announced_bytes(headers: dict[bytes, bytes]) -> int:
    """Return the length of the body. The parser has checked that it is a small number; it may have leading zeros."""
    text = headers.get(b"content-length", b"0")
    if len(text) > _DIGITS:  # Python converts a bounded number of digits, here and in the application
        raise Refused("BAD_LENGTH", f"expected at most {_DIGITS} digits", where="content-length", status=400)
    return int(text)


def _too_large() -> Refused:
    why = f"expected at most {_HEAD_BYTES} bytes and {_HEADERS} headers"
    return Refused("HEAD_TOO_LARGE", why, status=HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)


class _Flow(FlowControl):
    """Flow control that stays paused while a request waits for an earlier answer, even if uvicorn resumes reading.

    This also stops a sender that does not read its answers: uvicorn sends no further answer while they pile up.
    """

    is_held = False

    def hold(self) -> None:
        self.is_held = True
        self.pause_reading()

    def resume_reading(self) -> None:
        if not self.is_held:
            super().resume_reading()


class _ChunkedRest:
    """The callbacks of the parser that reads a chunked body behind an offer of an upgrade."""

    def __init__(self, connection: Protocol) -> None:
        self.on_body = connection.on_body
        self.on_message_complete = connection.chunked_rest_complete


class _Body:
    """The chunks of a request's body, between the parser and the application."""

    def __init__(self, connection: Protocol) -> None:
        self._connection = connection
        self._cycle = connection.cycle
        self._chunks: list[bytes] = []
        self._held_bytes = self._dropped_bytes = 0
        self._is_unwanted = self._is_end_passed_on = False

    def drop(self) -> bool:
        """Drop what nobody has asked for, and return whether it was all: `receive` counts the rest as it comes."""
        self._is_unwanted = True
        self._chunks.clear()
        return not self._cycle.more_body

    def append(self, chunk: bytes) -> None:
        if self._is_unwanted:
            self._dropped_bytes += len(chunk)
        else:
            self._chunks.append(chunk)
            self._held_bytes += len(chunk) + _CHUNK_COSTS_BYTES
        if self._dropped_bytes or self._held_bytes >= _READ_AHEAD_BYTES:
            self._cycle.flow.pause_reading()
        self._cycle.message_event.set()

    async def receive(self) -> Any:
        """Return the next ASGI message. Uses the flags and the event of uvicorn's cycle."""
        cycle = self._cycle
        if cycle.waiting_for_100_continue and not cycle.transport.is_closing():
            cycle.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            cycle.waiting_for_100_continue = False
        if cycle.flow.read_paused and not self._has_news():
            self._connection.read_on()
            await asyncio.sleep(0)  # other connections have their turn
        while not self._has_news():
            cycle.flow.resume_reading()
            cycle.message_event.clear()
            await cycle.message_event.wait()
        if cycle.disconnected or cycle.response_complete:
            return {"type": "http.disconnect"}
        body = b"".join(self._chunks)  # a chunk alone is not copied
        self._chunks.clear()
        dropped_bytes, self._held_bytes, self._dropped_bytes = self._dropped_bytes, 0, 0
        self._is_end_passed_on = not cycle.more_body
        more = {"more_body": cycle.more_body, "dropped_bytes": dropped_bytes}
        return {"type": "http.request", "body": body} | more

    def _has_news(self) -> bool:
        cycle = self._cycle
        is_ended = not cycle.more_body and not self._is_end_passed_on
        return cycle.disconnected or cycle.response_complete or is_ended or bool(self._chunks or self._dropped_bytes)

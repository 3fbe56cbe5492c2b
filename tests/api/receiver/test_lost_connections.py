"""A connection that is lost ends what its requests are doing, without an error in the log."""

import asyncio
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import uvicorn

from api.receiver.protocol import Protocol
from tests.conftest import LONGEST_S, free_port, wait_until

_CHUNKS, _CHUNK_BYTES = 400, 64 << 10
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)


class Streaming:
    """An application whose answer is longer than what sockets hold, and what became of its answers."""

    def __init__(self) -> None:
        self.outcomes: list[str] = []

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        assert receive
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(_CHUNKS):
                await send({"type": "http.response.body", "body": bytes(_CHUNK_BYTES), "more_body": True})
            await send({"type": "http.response.body", "body": b""})
            self.outcomes.append("ended")
        except Exception as error:
            self.outcomes.append(repr(error))
            raise


async def echo(_scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
    """Read a body, look a little later whether its sender has left, and answer with the body."""
    body, more = b"", True
    while more:
        piece = await receive()
        body, more = body + piece["body"], piece["more_body"]
    await asyncio.sleep(0.4)
    with suppress(TimeoutError):
        await asyncio.wait_for(receive(), 0.2)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def serving(app: Callable[..., Any]) -> Iterator[int]:
    """Serve an application with the receiver's protocol, and yield its port."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, http=Protocol, lifespan="off", log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started)
    yield port
    server.should_exit = True
    thread.join(LONGEST_S)


@pytest.mark.parametrize("requests", [1, 2, 3])
def test_answer_to_a_reader_who_left_ends_without_an_error_whatever_was_asked_behind_it(requests: int) -> None:
    made = Streaming()
    with serving(made) as port, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
        connection.settimeout(LONGEST_S)
        connection.connect(("127.0.0.1", port))
        connection.sendall(b"GET / HTTP/1.1\r\nhost: cellar\r\n\r\n" * requests)
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
        connection.close()

        wait_until(lambda: len(made.outcomes) == 1)
        assert made.outcomes == ["ended"]


def test_body_that_waits_for_an_earlier_answer_keeps_its_order_while_the_earlier_request_looks_for_its_sender() -> None:
    body = bytes(range(200))
    with serving(echo) as port, socket.create_connection(("127.0.0.1", port), timeout=LONGEST_S) as connection:
        get, head = b"GET / HTTP/1.1\r\nhost: cellar\r\n", b"POST / HTTP/1.1\r\nhost: cellar\r\ncontent-length: 200\r\n"
        connection.sendall(get + b"\r\n" + head + b"\r\n" + body[:100])
        time.sleep(0.2)
        connection.sendall(body[100:])
        answered = b""
        while answered.count(b"HTTP/1.1 200") < 2 or len(answered.rpartition(b"\r\n\r\n")[2]) < 200:
            answered += connection.recv(1000)

    assert answered.endswith(b"\r\n\r\n" + body)

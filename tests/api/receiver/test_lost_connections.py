"""A connection that is lost ends what its requests are doing, without an error in the log."""

import socket
import struct
import threading
from collections.abc import Iterator, MutableMapping
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


@pytest.fixture
def streaming() -> Iterator[tuple[Streaming, int]]:
    """A server with the receiver's protocol, and its port."""
    made, port = Streaming(), free_port()
    server = uvicorn.Server(uvicorn.Config(made, port=port, http=Protocol, lifespan="off", log_config=None))
    serving = threading.Thread(target=server.run)
    serving.start()
    wait_until(lambda: server.started)
    yield made, port
    server.should_exit = True
    serving.join(LONGEST_S)


@pytest.mark.parametrize("requests", [1, 2, 3])
def test_answer_to_a_reader_who_left_ends_without_an_error_whatever_was_asked_behind_it(
    streaming: tuple[Streaming, int], requests: int
) -> None:
    made, port = streaming
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
        connection.settimeout(LONGEST_S)
        connection.connect(("127.0.0.1", port))
        connection.sendall(b"GET / HTTP/1.1\r\nhost: cellar\r\n\r\n" * requests)
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")

    wait_until(lambda: len(made.outcomes) == 1)
    assert made.outcomes == ["ended"]

"""What one connection may send: paths and framing of one reading, bounded heads, bodies in any pieces, and in time."""

import asyncio
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest
import uvicorn

from api.receiver.protocol import Protocol
from tests.api.conftest import Receiver
from tests.api.senders import Sender, answer_on, head, peak_bytes, receipt_id_of
from tests.conftest import LONGEST_S, free_port, wait_until
from tests.samples import sample_body

GET = b"GET /healthz HTTP/1.1\r\nhost: cellar\r\n"
POST = "POST /healthz HTTP/1.1\r\nhost: cellar"
CODED = f"{POST}\r\ntransfer-encoding"
CHUNKED = f"{CODED}: chunked\r\n\r\n".encode()


@contextmanager
def connected(receiver: Receiver) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=LONGEST_S) as connection:
        yield connection


def assert_closed(connection: socket.socket) -> None:
    with suppress(ConnectionError):  # the connection is reset if the receiver has not read everything
        assert connection.recv(1) == b""


def answered(receiver: Receiver, path: str) -> tuple[int, Any]:
    with connected(receiver) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nhost: cellar\r\n\r\n".encode())
        return answer_on(connection)


def test_path_that_a_proxy_could_read_as_another_path_is_refused_and_any_other_is_passed_on(receiver: Receiver) -> None:
    for path in (
        *("/api/archives/..%2f..%2fwebhooks%2fcellosign", "/api/archives/%2E%2e%2Fmetrics", "/api/../metrics"),
        *("/api/archives/..", "/api/archives/%2e", "/./metrics", "/api/archives/a%2F.%2Fb", "/api/archives/..;a/b"),
        *("/api/archives/%252e%252e%252fb", "/api/archives/..%5cb", "/api/archives/..%25252fb", "/api\\metrics"),
        *("//api/archives", "http://cellar/api/../metrics"),
    ):
        status, content = answered(receiver, path)
        assert (path, status, content["errordesc"].partition(" ")[0]) == (path, 400, "BAD_PATH")
    for reference in (
        *("a%2Fb", "...", "%2F%2F", ".htaccess", "a..b", "%2e%2e.%2fb", "a/b//c", "a%5Cb", "100%25", "a;..b"),
    ):
        status, _ = answered(receiver, f"/api/archives/{reference}?q=/../")
        assert (reference, status) == (reference, 401)


@pytest.mark.parametrize(
    "head",
    [
        *(f"{POST}\r\ntransfer-encoding: {each}" for each in ("gzip, chunked", "identity", "xchunked")),
        *(
            f"{POST}\r\ntransfer-encoding: {each}"
            for each in ("chunked, chunked", "gzip\r\ntransfer-encoding: chunked")
        ),
        f"{POST}\r\ntransfer-encoding: chunked\r\ncontent-length: 5",
        *(f"{POST}\r\ncontent-length: {each}" for each in ("5\r\ncontent-length: 6", "ten", "-1", "1" * 5000)),
        "POST / HTTP/1.0\r\nhost: cellar\r\ntransfer-encoding: chunked",
        "GET /healthz HTTP/1.1",
        *(f"GET /healthz HTTP/{each}\r\nhost: cellar\r\nhost: x" for each in ("1.1", "1.0")),
    ],
)
def test_request_with_two_readings_is_refused(receiver: Receiver, head: str) -> None:
    """What a proxy in front could read as another request than the receiver does."""
    with connected(receiver) as connection:
        connection.sendall(f"{head}\r\n\r\n0\r\n\r\n".encode())

        status, content = answer_on(connection)

        assert (status, content["errordesc"].partition(":")[0]) == (400, "NOT_HTTP")
        assert_closed(connection)


@pytest.mark.parametrize("head", ["GET /healthz HTTP/1.0", "GET /healthz HTTP/1.1\r\nhost:"])
def test_old_client_and_empty_host_are_served(receiver: Receiver, head: str) -> None:
    with connected(receiver) as connection:
        connection.sendall(f"{head}\r\n\r\n".encode())

        assert answer_on(connection)[0] == 200


def test_head_of_the_largest_allowed_size_is_accepted_and_trailers_are_no_part_of_it(receiver: Receiver) -> None:
    most = GET + b"".join(b"x-%d: 1\r\n" % number for number in range(98)) + b"x-long: %b\r\n\r\n"
    largest = most % (b"x" * ((64 << 10) + 2 - len(most)))
    with_trailers = CHUNKED + b"0\r\n" + b"x: 1\r\n" * 150 + b"\r\n"
    with connected(receiver) as connection:
        for sent, status in ((largest, 200), (largest, 200), (with_trailers, 405), (with_trailers, 405)):
            connection.sendall(sent)
            assert answer_on(connection)[0] == status


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(GET + b"x-long: " + b"x" * 100_000, id="a long header"),
        pytest.param(GET + b"x" * 100_000, id="a long name"),
        pytest.param(GET + b"x: 1\r\n" * 100 + b"\r\n", id="many headers"),
        pytest.param(b"GET /" + b"x" * 100_000, id="a long target"),
        pytest.param(b"\r\n" * 50_000, id="many blank lines"),
    ],
)
def test_head_that_is_too_large_is_refused_after_the_answer_to_an_earlier_request(
    receiver: Receiver, data: bytes
) -> None:
    with connected(receiver) as connection:
        with suppress(ConnectionError):  # the receiver may close the connection before all is sent
            connection.sendall(data)

        status, content = answer_on(connection)

        assert (status, content["status"], content["document"]) == (431, "-1", None)
        assert content["errordesc"].startswith("HEAD_TOO_LARGE")
        assert_closed(connection)
    with connected(receiver) as connection:
        connection.sendall(GET + b"\r\n" + GET + b"x: 1\r\n" * 100 + b"\r\n")

        assert answer_on(connection)[0] == 200
        assert_closed(connection)


@pytest.mark.parametrize("endless", [b"x: 1\r\n" * 5_000_000, b"x-long: " + b"x" * (2 << 20)])
def test_head_that_goes_on_after_its_refusal_is_cut_off_and_takes_no_memory(receiver: Receiver, endless: bytes) -> None:
    """Bytes that still arrive may reset the connection before the client reads the answer."""
    before_bytes = peak_bytes(receiver.process.pid)
    with connected(receiver) as connection:
        with suppress(ConnectionError):
            connection.sendall(GET + endless)

        with suppress(ConnectionError):
            assert connection.recv(1000).startswith(b"HTTP/1.1 431 ")
            while connection.recv(1000):
                pass

    assert receiver.client.get("/healthz").status_code == 200
    assert peak_bytes(receiver.process.pid) - before_bytes < 10 << 20


@pytest.mark.parametrize("between", [b"0\r\nx-trailer: ", b"5;extension=", b"0\r\n" + b"x: 1\r\n" * 100_000])
def test_size_of_chunk_extensions_and_trailers_is_limited_too(receiver: Receiver, between: bytes) -> None:
    with Sender(receiver, "transfer-encoding: chunked") as sender:
        with suppress(ConnectionError):
            sender.send(b"5\r\n{    \r\n" + between + b"x" * 1_000_000)

        status, content = sender.answer()

    assert (status, content["status"]) == (431, "-1")


def test_many_requests_of_a_connection_take_no_memory(receiver: Receiver) -> None:
    """Neither those whose answers are unread, nor those behind a chunked body, of which the parser reads all."""
    count, before_bytes = 5000, peak_bytes(receiver.process.pid)
    with connected(receiver) as connection, ThreadPoolExecutor(1) as other:
        sent = other.submit(connection.sendall, (GET + b"\r\n") * count)
        assert {answer_on(connection)[0] for _ in range(count)} == {200}
        sent.result()
    with connected(receiver) as connection:
        with suppress(ConnectionError):
            connection.sendall(CHUNKED + b"0\r\n\r\n" + (GET + b"\r\n") * count)
        assert [answer_on(connection)[0] for _ in range(2)] == [405, 200]

    assert receiver.client.get("/healthz").status_code == 200
    assert peak_bytes(receiver.process.pid) - before_bytes < 10 << 20


def test_pipelined_requests_are_all_accepted(receiver: Receiver) -> None:
    bodies = [sample_body(f"close {size}", note="x" * size) for size in (10, 3_000_000, 700_000)]
    heads = [head(receiver.secret, f"content-length: {len(body)}") for body in bodies]
    with connected(receiver) as connection:
        connection.sendall((GET + b"\r\n") * 3 + b"".join(map(bytes.__add__, heads, bodies)))

        assert [answer_on(connection)[0] for _ in range(3)] == [200] * 3
        for body in bodies:
            assert answer_on(connection)[1]["document"]["reference"] == receipt_id_of(body)


@pytest.mark.parametrize("pieces", [1, 2])
def test_offer_to_upgrade_with_a_chunked_body_is_ignored(receiver: Receiver, pieces: int) -> None:
    body = sample_body("upgrade", note="x" * 100_000)
    lines = ("connection: upgrade, http2-settings", "upgrade: h2c", "transfer-encoding: chunked")
    whole = head(receiver.secret, *lines) + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    with connected(receiver) as connection:
        for start in range(0, len(whole), 1 + len(whole) // pieces):
            connection.sendall(whole[start : start + 1 + len(whole) // pieces])
            time.sleep(0.1)

        assert answer_on(connection)[1]["document"]["reference"] == receipt_id_of(body)


def test_many_pipelined_offers_to_upgrade_are_all_ignored(receiver: Receiver) -> None:
    with connected(receiver) as connection:
        connection.sendall((GET + b"connection: upgrade\r\nupgrade: h2c\r\n\r\n") * 3000)
        assert {answer_on(connection)[0] for _ in range(3000)} == {200}

    assert "Traceback" not in receiver.log.read_text()


def test_body_in_tiny_chunks_takes_constant_memory_and_a_chunk_without_a_length_is_refused(receiver: Receiver) -> None:
    body = sample_body("tiny chunks", note="x" * 300_000)
    before_bytes = peak_bytes(receiver.process.pid)
    with Sender(receiver, "transfer-encoding: chunked") as sender:
        sender.send(b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n")
        assert sender.answer()[1]["document"]["reference"] == receipt_id_of(body)
    assert peak_bytes(receiver.process.pid) - before_bytes < 40 << 20

    with Sender(receiver, "transfer-encoding: chunked") as sender:
        sender.send(b"5\r\nhello\r\nnot a length\r\n")
        status, content = sender.answer()
    assert (status, content["status"]) == (400, "-1")


@pytest.mark.parametrize("behind", [b"EHLO cellar\r\n\r\n", b"POST /webhooks/cel"])
def test_garbage_after_a_request_does_not_suppress_its_answer(narrow: Receiver, behind: bytes) -> None:
    body = sample_body("owed")
    with Sender(narrow, f"content-length: {len(body)}") as sender:
        sender.send(body + behind)

        assert sender.answer()[1]["document"]["reference"] == receipt_id_of(body)


def test_connection_whose_head_does_not_end_in_time_is_closed(narrow: Receiver) -> None:
    """Also one that was answered before. A body that has not ended is no place for another answer."""
    with ExitStack() as stack:
        silent, dripping, *others = (stack.enter_context(connected(narrow)) for _ in range(5))
        for each, before, then in zip(
            others, (b"", b"", b"content-length: 100\r\n"), (b"\r\n", b"POST /web", b"\r\n"), strict=True
        ):
            each.sendall(GET + before + b"\r\n")
            assert answer_on(each)[0] == 200
            each.sendall(then)
        dripping.sendall(b"POST /webhooks/cellosign HTTP/1.1\r\nhost: cellar\r\nx-a: ")
        while not select.select([dripping], [], [], 0.1)[0]:
            dripping.sendall(b"b")

        status, content = answer_on(dripping)
        assert (status, content["status"], content["document"]) == (408, "-1", None)
        assert content["errordesc"].startswith("HEADER_TIMEOUT")
        assert dripping.recv(1) == b""
        ends = [each.recv(1000)[:13] for each in (silent, *others)]
        assert ends == [b"HTTP/1.1 408 "] * 3 + [b""]


class Streaming:
    """An application whose answer is longer than what sockets hold, and what became of its answers."""

    def __init__(self) -> None:
        self.outcomes: list[str] = []

    async def __call__(self, _scope: MutableMapping[str, Any], _receive: Any, send: Any) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(400):
                await send({"type": "http.response.body", "body": bytes(64 << 10), "more_body": True})
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
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # reset at its close
        connection.settimeout(LONGEST_S)
        connection.connect(("127.0.0.1", port))
        connection.sendall((GET + b"\r\n") * requests)
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
        connection.close()

        wait_until(lambda: len(made.outcomes) == 1)
        assert made.outcomes == ["ended"]


def test_body_that_waits_for_an_earlier_answer_keeps_its_order_while_the_earlier_request_looks_for_its_sender() -> None:
    body = bytes(range(200))
    with serving(echo) as port, socket.create_connection(("127.0.0.1", port), timeout=LONGEST_S) as connection:
        connection.sendall(GET + b"\r\n" + f"{POST}\r\ncontent-length: 200\r\n\r\n".encode() + body[:100])
        time.sleep(0.2)
        connection.sendall(body[100:])
        received = b""
        while received.count(b"HTTP/1.1 200") < 2 or len(received.rpartition(b"\r\n\r\n")[2]) < 200:
            received += connection.recv(1000)

    assert received.endswith(b"\r\n\r\n" + body)

"""Limits the size of request heads, and the number of requests that wait on a connection."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest

from tests.api.conftest import Receiver
from tests.api.senders import Sender, answer_on, head, peak_bytes, receipt_id_of
from tests.conftest import LONGEST_S
from tests.samples import sample_body

GET = b"GET /healthz HTTP/1.1\r\nhost: cellar\r\n"
CHUNKED = GET.replace(b"GET", b"POST") + b"transfer-encoding: chunked\r\n\r\n"


@contextmanager
def connected(receiver: Receiver) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=LONGEST_S) as connection:
        yield connection


class TestPaths:
    @pytest.mark.parametrize(
        "path",
        [
            *("/api/archives/..%2f..%2fwebhooks%2fcellosign", "/api/archives/%2E%2e%2Fmetrics", "/api/../metrics"),
            *("/api/archives/..", "/api/archives/%2e", "/./metrics", "/api/archives/a%2F.%2Fb", "/api/archives/..;a/b"),
            *("/api/archives/%252e%252e%252fb", "/api/archives/..%5cb", "/api/archives/..%25252fb", "/api\\metrics"),
            *("//api/archives", "http://cellar/api/../metrics"),
        ],
    )
    def test_that_a_proxy_could_read_as_another_path_is_refused(self, receiver: Receiver, path: str) -> None:
        with connected(receiver) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nhost: cellar\r\n\r\n".encode())

            status, content = answer_on(connection)

        assert (status, content["errordesc"].partition(" ")[0]) == (400, "BAD_PATH")

    @pytest.mark.parametrize(
        "path", ["a%2Fb", "...", "%2F%2F", ".htaccess", "a..b", "%2e%2e.%2fb", "a/b//c", "a%5Cb", "100%25", "a;..b"]
    )
    def test_with_any_other_reference_is_passed_on(self, receiver: Receiver, path: str) -> None:
        with connected(receiver) as connection:
            connection.sendall(f"GET /api/archives/{path}?q=/../ HTTP/1.1\r\nhost: cellar\r\n\r\n".encode())

            assert answer_on(connection)[0] == 401


class TestFraming:
    """What a proxy in front could read as another request than the receiver does."""

    @pytest.mark.parametrize(
        "head",
        [
            *(
                f"POST / HTTP/1.1\r\nhost: cellar\r\ntransfer-encoding: {each}"
                for each in ("gzip, chunked", "identity")
            ),
            *(
                f"POST / HTTP/1.1\r\nhost: cellar\r\ntransfer-encoding: {each}"
                for each in ("xchunked", "chunked, chunked")
            ),
            "POST / HTTP/1.1\r\nhost: cellar\r\ntransfer-encoding: gzip\r\ntransfer-encoding: chunked",
            "POST / HTTP/1.1\r\nhost: cellar\r\ntransfer-encoding: chunked\r\ncontent-length: 5",
            "POST / HTTP/1.1\r\nhost: cellar\r\ncontent-length: 5\r\ncontent-length: 6",
            "POST / HTTP/1.0\r\nhost: cellar\r\ntransfer-encoding: chunked",
            "GET /healthz HTTP/1.1",
            *(f"GET /healthz HTTP/{each}\r\nhost: cellar\r\nhost: x" for each in ("1.1", "1.0")),
        ],
    )
    def test_request_with_two_readings_is_refused(self, receiver: Receiver, head: str) -> None:
        with connected(receiver) as connection:
            connection.sendall(f"{head}\r\n\r\n0\r\n\r\n".encode())

            status, content = answer_on(connection)

            assert (status, content["errordesc"].partition(":")[0]) == (400, "NOT_HTTP")
            assert_closed(connection)

    @pytest.mark.parametrize("head", ["GET /healthz HTTP/1.0", "GET /healthz HTTP/1.1\r\nhost:"])
    def test_old_client_and_empty_host_are_served(self, receiver: Receiver, head: str) -> None:
        with connected(receiver) as connection:
            connection.sendall(f"{head}\r\n\r\n".encode())

            assert answer_on(connection)[0] == 200


class TestSizeOfHeads:
    def test_head_of_the_largest_allowed_size_is_accepted(self, receiver: Receiver) -> None:
        lines = b"".join(b"x-%d: 1\r\n" % number for number in range(98))
        most = GET + lines + b"x-long: %b\r\n\r\n"
        with connected(receiver) as connection:
            for _ in range(2):
                connection.sendall(most % (b"x" * ((64 << 10) + 2 - len(most))))

                assert answer_on(connection)[0] == 200

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
    def test_head_that_is_too_large_is_refused(self, receiver: Receiver, data: bytes) -> None:
        with connected(receiver) as connection:
            with suppress(ConnectionError):  # the receiver may close the connection before all is sent
                connection.sendall(data)

            status, content = answer_on(connection)

            assert (status, content["status"], content["document"]) == (431, "-1", None)
            assert content["errordesc"].startswith("HEAD_TOO_LARGE")
            assert_closed(connection)

    def test_head_that_goes_on_after_its_refusal_is_cut_off(self, receiver: Receiver) -> None:
        """Bytes that still arrive may reset the connection before the client reads the answer."""
        with connected(receiver) as connection:
            with suppress(ConnectionError):
                connection.sendall(GET + b"x-long: " + b"x" * (2 << 20))

            with suppress(ConnectionError):
                assert connection.recv(1000).startswith(b"HTTP/1.1 431 ")
                while connection.recv(1000):
                    pass

        assert receiver.client.get("/healthz").status_code == 200

    def test_first_request_is_answered_before_a_second_head_is_refused(self, receiver: Receiver) -> None:
        with connected(receiver) as connection:
            connection.sendall(GET + b"\r\n" + GET + b"x: 1\r\n" * 100 + b"\r\n")

            assert answer_on(connection)[0] == 200
            assert_closed(connection)

    @pytest.mark.parametrize("between", [b"0\r\nx-trailer: ", b"5;extension=", b"0\r\n" + b"x: 1\r\n" * 100_000])
    def test_size_of_chunk_extensions_and_trailers_is_limited_too(self, receiver: Receiver, between: bytes) -> None:
        with Sender(receiver, "transfer-encoding: chunked") as sender:
            with suppress(ConnectionError):
                sender.send(b"5\r\n{    \r\n" + between + b"x" * 1_000_000)

            status, content = sender.answer()

        assert (status, content["status"]) == (431, "-1")

    def test_trailers_do_not_become_headers(self, receiver: Receiver) -> None:
        with connected(receiver) as connection:
            for _ in range(2):
                connection.sendall(CHUNKED + b"0\r\n" + b"x: 1\r\n" * 150 + b"\r\n")

                assert answer_on(connection)[0] == 405

    def test_endless_small_headers_take_no_memory(self, receiver: Receiver) -> None:
        before_bytes = peak_bytes(receiver.process.pid)
        with connected(receiver) as connection, suppress(ConnectionError):
            connection.sendall(GET + b"x: 1\r\n" * 5_000_000)

        assert receiver.client.get("/healthz").status_code == 200
        assert peak_bytes(receiver.process.pid) - before_bytes < 10 << 20


class TestManyRequestsOfAConnection:
    def test_requests_with_unread_answers_take_no_memory(self, receiver: Receiver) -> None:
        count, request = 5000, GET + b"\r\n"
        before_bytes = peak_bytes(receiver.process.pid)
        with connected(receiver) as connection, ThreadPoolExecutor(1) as other:
            sent = other.submit(connection.sendall, request * count)
            statuses = {answer_on(connection)[0] for _ in range(count)}
            sent.result()

        assert statuses == {200}
        assert peak_bytes(receiver.process.pid) - before_bytes < 10 << 20

    def test_requests_after_a_chunked_body_take_no_memory(self, receiver: Receiver) -> None:
        before_bytes = peak_bytes(receiver.process.pid)
        with connected(receiver) as connection:
            with suppress(ConnectionError):
                connection.sendall(CHUNKED + b"0\r\n\r\n" + (GET + b"\r\n") * 5000)

            assert answer_on(connection)[0] == 405
            assert answer_on(connection)[0] == 200
        assert receiver.client.get("/healthz").status_code == 200
        assert peak_bytes(receiver.process.pid) - before_bytes < 10 << 20

    def test_large_body_after_other_requests_is_accepted(self, receiver: Receiver) -> None:
        body = sample_body("behind another", note="x" * 5_000_000)
        with connected(receiver) as connection:
            connection.sendall((GET + b"\r\n") * 3 + head(receiver.secret, f"content-length: {len(body)}") + body)

            assert [answer_on(connection)[0] for _ in range(3)] == [200] * 3
            assert answer_on(connection)[1]["document"]["reference"] == receipt_id_of(body)


def assert_closed(connection: socket.socket) -> None:
    with suppress(ConnectionError):  # the connection is reset if the receiver has not read everything
        assert connection.recv(1) == b""

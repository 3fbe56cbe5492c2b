"""Answers before the body has arrived: the sender can read the answer, and cannot keep its place."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from api.gate import Gate
from models.errors import Refused
from tests.api.conftest import TOKEN, Receiver
from tests.api.senders import Sender, login_cookie, peak_bytes, receipt_id_of
from tests.api.strangers import send
from tests.samples import sample_body


class TestAnswerBeforeTheEndOfTheBody:
    @pytest.mark.parametrize("size_mb", [1, 9, 50])
    @pytest.mark.parametrize("connection", ["close", "keep-alive"])
    def test_refused_sender_can_send_its_whole_body_and_then_read_the_answer(
        self, receiver: Receiver, size_mb: int, connection: str
    ) -> None:
        lines = (f"content-length: {size_mb << 20}", f"connection: {connection}")
        with Sender(receiver, *lines, secret="wrong") as sender:
            for _ in range(size_mb):
                sender.send(b" " * (1 << 20))

            status, content = sender.answer()

        assert (status, content["status"]) == (401, "-1")

    def test_refused_sender_that_never_stops_is_disconnected(self, receiver: Receiver) -> None:
        chunk = b"100000\r\n" + b" " * (1 << 20) + b"\r\n"
        with Sender(receiver, "transfer-encoding: chunked", secret="wrong") as sender, pytest.raises(ConnectionError):
            sender.send(chunk * 200)

    def test_refused_sender_that_stops_sending_is_disconnected(self, narrow: Receiver) -> None:
        with Sender(narrow, "content-length: 1000", secret="wrong") as sender:
            assert sender.answer()[0] == 401
            assert sender.read() == b""

    def test_refused_sender_that_expects_continue_gets_401_instead(self, receiver: Receiver) -> None:
        with Sender(receiver, "content-length: 1000", "expect: 100-continue", secret="wrong") as sender:
            assert sender.read().startswith(b"HTTP/1.1 401 ")

    def test_sender_that_expects_continue_gets_it(self, receiver: Receiver) -> None:
        body = sample_body("continue")
        with Sender(receiver, f"content-length: {len(body)}", "expect: 100-continue") as sender:
            assert sender.read() == b"HTTP/1.1 100 Continue\r\n\r\n"
            sender.send(body)

            assert sender.answer()[1]["document"]["reference"] == receipt_id_of(body)

    def test_body_that_nobody_has_asked_for_is_not_read_ahead(self, receiver: Receiver) -> None:
        """The receiver looks for an unknown source in the store before it refuses its sender."""
        before_bytes, senders = peak_bytes(receiver.process.pid), 50
        with ExitStack() as stack:
            path = "/webhooks/cellosign/unknown"
            waiting = [
                stack.enter_context(Sender(receiver, "content-length: 4000000", secret="wrong", path=path))
                for _ in range(senders)
            ]
            with ThreadPoolExecutor(senders) as threads:
                list(threads.map(lambda each: each.send(b" " * 4_000_000), waiting))
            assert {each.answer()[0] for each in waiting} == {401}

        assert peak_bytes(receiver.process.pid) - before_bytes < senders << 19


class TestReader:
    @pytest.mark.parametrize(
        ("method", "path"),
        [("POST", "/api/bulk-reruns"), ("POST", "/api/nowhere"), ("PUT", "/api/archives/x"), ("GET", "/metrics")],
    )
    @pytest.mark.parametrize("length", ["content-length: 1000", "transfer-encoding: chunked"])
    def test_token_is_checked_before_the_body_arrives(
        self, narrow: Receiver, method: str, path: str, length: str
    ) -> None:
        with Sender(narrow, length, secret="Bearer wrong", method=method, path=path) as sender:
            status, content = sender.answer()

        assert (status, content["error"]["code"]) == (401, "UNAUTHORIZED")

    def test_deep_json_without_a_token_costs_no_memory(self, receiver: Receiver) -> None:
        body = b"[" + b"[]," * 10_000_000 + b"[]]"
        receiver.client.get("/healthz")
        before_bytes = peak_bytes(receiver.process.pid)

        answer = receiver.client.post("/api/bulk-reruns", content=body, headers={"content-type": "application/json"})

        assert answer.status_code == 401
        assert peak_bytes(receiver.process.pid) - before_bytes < 4 << 20

    @pytest.mark.parametrize("length", ["content-length: 1000001", "transfer-encoding: chunked"])
    def test_body_is_bounded(self, without_database: Receiver, length: str) -> None:
        bearer = f"Bearer {TOKEN}"
        with Sender(without_database, length, secret=bearer, path="/api/bulk-reruns") as sender:
            if "chunked" in length:
                sender.send(b"f4241\r\n" + b" " * 1_000_001 + b"\r\n")
            status, content = sender.answer()

        assert (status, content["error"]["code"]) == (413, "TOO_LARGE")

    @pytest.mark.parametrize("path", ["/", "/healthz", "/d/forged", "/docs", "/console", "/api-docs"])
    def test_body_that_no_path_takes_never_arrives(self, receiver: Receiver, path: str) -> None:
        """The answer comes at once. Then the receiver waits for no more than a bounded rest of the body."""
        megabyte = b"100000\r\n" + b" " * (1 << 20) + b"\r\n"
        with Sender(receiver, "transfer-encoding: chunked", method="GET", path=path) as sender:
            assert sender.read().startswith(b"HTTP/1.1 ")
            with pytest.raises(ConnectionError):
                sender.send(megabyte * 20)

    @pytest.mark.parametrize(
        "path", ["/d/" + "x" * 16_400, "/console/login?" + "&" * 1000, "/api/archives?" + "&" * 1000]
    )
    def test_url_is_bounded(self, receiver: Receiver, path: str) -> None:
        answer = receiver.client.get(path)

        assert (answer.status_code, answer.json()["error"]["code"]) == (414, "URL_TOO_LONG")

    def test_form_that_is_refused_while_it_comes_is_dropped(self, receiver: Receiver) -> None:
        """Its refusals wait, since they are many: meanwhile none of them is kept."""
        before_bytes, senders = peak_bytes(receiver.process.pid), 50
        cookie = login_cookie(receiver)
        for _ in range(101):
            assert receiver.client.get("/nowhere").status_code == 404
        with ExitStack() as stack:
            lines = ("transfer-encoding: chunked", cookie)
            waiting = [stack.enter_context(Sender(receiver, *lines, path="/console/login")) for _ in range(senders)]
            with ThreadPoolExecutor(senders) as threads:
                list(threads.map(_send_as_much_as_it_takes, waiting))

        assert peak_bytes(receiver.process.pid) - before_bytes < senders << 19


def _send_as_much_as_it_takes(sender: Sender) -> None:
    with suppress(ConnectionError):
        sender.send(b"400000\r\n" + b" " * (4 << 20) + b"\r\n")


def test_no_request_of_strangers_is_an_unexpected_error(receiver: Receiver) -> None:
    statuses = asyncio.run(send(receiver.port))

    assert not {each for each in statuses if each.startswith("5")}
    assert "Traceback" not in receiver.log.read_text()


@pytest.mark.parametrize(
    ("status", "path", "is_known", "is_counted"),
    [
        (404, "/nowhere", False, True),
        (422, "/console/login", False, True),
        (400, "/oauth/token", False, True),
        (200, "/docs", False, True),
        (303, "/console/archives", False, True),
        (401, "/webhooks/cellosign", False, True),
        (200, "/oauth/token", False, False),
        (422, "/webhooks/cellosign", False, False),
        (503, "/readyz", False, False),
        (404, "/console/archives/x", True, False),
    ],
)
def test_stranger_is_answered_at_once_thirty_times_a_minute(
    status: int, path: str, is_known: bool, is_counted: bool
) -> None:
    """Addresses of IPv6 are the same up to the first 64 bits."""

    async def _app(scope: Scope, _receive: Receive, send: Send) -> None:
        if is_known:
            scope["state"]["caller"] = "somebody"
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def _refuse(_request: Request, _refused: Refused) -> Response:
        return Response(status_code=401)

    async def _ask(gate: Gate, address: str) -> None:
        scope = {"type": "http", "client": (address, 1), "path": path, "raw_path": b"", "query_string": b""}
        await gate(scope | {"headers": []}, _nothing, _nothing)

    async def _nothing(*_: object) -> Any:
        return None

    async def _flood() -> None:
        gate = Gate(_app, _refuse)
        for number in range(30):
            await _ask(gate, f"2001:db8::{number:x}")
        waiting = asyncio.create_task(_ask(gate, "2001:db8::"))
        await asyncio.sleep(0)
        await _ask(gate, "2001:db8:0:1::")
        assert waiting.done() != is_counted
        await waiting

    asyncio.run(_flood())


class TestForm:
    def test_without_a_cookie_or_a_login_is_answered_before_it_arrives(self, narrow: Receiver) -> None:
        with (
            Sender(narrow, "content-length: 1000", path="/console/login") as stranger,
            Sender(narrow, "content-length: 1000", login_cookie(narrow), path="/console/bulk/any/confirm") as visitor,
        ):
            assert stranger.read().startswith(b"HTTP/1.1 403 ")
            assert visitor.read().startswith(b"HTTP/1.1 303 ")

    def test_of_a_visitor_is_small(self, narrow: Receiver) -> None:
        cookie = login_cookie(narrow)
        with Sender(narrow, "content-length: 16385", cookie, path="/console/login") as sender:
            assert sender.read().startswith(b"HTTP/1.1 413 ")

    def test_of_a_visitor_has_twenty_fields(self, narrow: Receiver) -> None:
        cookie = login_cookie(narrow).partition(": ")[2]
        headers = {"cookie": cookie, "sec-fetch-site": "same-origin"}
        sent = [narrow.client.post("/console/login", content="a=&" * each + "a=", headers=headers) for each in (19, 20)]

        assert [each.status_code for each in sent] == [403, 422]

    def test_that_ends_early_is_no_unexpected_error(self, narrow: Receiver) -> None:
        with Sender(narrow, "content-length: 1000", login_cookie(narrow), path="/console/login"):
            pass
        with Sender(narrow, "content-length: 1000", secret=f"Bearer {narrow.token}", path="/api/bulk-reruns"):
            pass

        assert narrow.client.get("/healthz").status_code == 200
        assert "Traceback" not in narrow.log.read_text()

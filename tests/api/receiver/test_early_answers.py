"""Answers before the body has arrived: the sender can read the answer, and cannot keep its place."""

import pytest

from tests.api.conftest import Receiver
from tests.api.senders import Sender, assert_refused, receipt_id_of
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

    def test_refused_sender_is_answered_before_it_sends_its_body(self, receiver: Receiver) -> None:
        with Sender(receiver, "content-length: 1000000000", secret="wrong") as sender:
            assert sender.answer()[0] == 401

    def test_sender_with_httpx_reads_the_answer(self, receiver: Receiver) -> None:
        answer = receiver.post(b" " * (50 << 20), {"authorization": "wrong"})

        assert_refused(answer, 401, "UNAUTHORIZED")

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

"""Limits the size, duration and number of requests, and cleans up after broken transfers."""

import select
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.api.conftest import Receiver, attachment, receiving
from tests.api.senders import Sender, answer_on, assert_refused, head, login_cookie, peak_bytes, receipt_id_of
from tests.conftest import LONGEST_S, wait_until
from tests.samples import sample_body


class TestLimits:
    def test_body_with_a_content_length_that_is_too_large_is_refused(self, narrow: Receiver) -> None:
        before = narrow.kept()

        assert_refused(narrow.post(b" " * 100_001), 413, "TOO_LARGE")

        assert narrow.kept() == before

    def test_body_without_a_length_that_grows_too_large_is_refused(self, narrow: Receiver) -> None:
        before = narrow.kept()

        assert_refused(narrow.post(iter([b" " * 1000] * 2000)), 413, "TOO_LARGE")

        assert narrow.kept() == before

    def test_body_of_the_largest_allowed_size_is_accepted(self, narrow: Receiver) -> None:
        body = sample_body("largest", note="")
        body = body.replace(b'"note": ""', b'"note": "%b"' % (b"x" * (100_000 - len(body))))

        assert narrow.post(body).json()["document"]["reference"] == receipt_id_of(body)

    def test_sender_that_stops_or_sends_too_slowly_times_out(self, narrow: Receiver) -> None:
        """Of an archive, of JSON to a reader's path, and of a form."""
        before, length = narrow.kept(), "content-length: 1000"
        to_json = {"secret": f"Bearer {narrow.token}", "path": "/api/bulk-reruns"}
        form = (length, login_cookie(narrow))
        with ExitStack() as stack, ThreadPoolExecutor(3) as threads:
            senders = [
                stack.enter_context(each)
                for _ in range(2)
                for each in (
                    Sender(narrow, length),
                    Sender(narrow, length, "content-type: application/json", **to_json),
                    Sender(narrow, *form, path="/console/login"),
                )
            ]
            for stopping in senders[:3]:
                stopping.send(b"{")
            assert all(threads.map(Sender.drip, senders[3:]))

            for archive, json, form_sender in (senders[:3], senders[3:]):
                status, content = archive.answer()
                assert (status, content["status"], content["errordesc"][:12]) == (408, "-1", "BODY_TIMEOUT")
                status, content = json.answer()
                assert (status, content["error"]["code"]) == (408, "BODY_TIMEOUT")
                assert form_sender.read().startswith(b"HTTP/1.1 408 ")

        assert narrow.kept() == before

    def test_slow_sender_that_keeps_sending_is_accepted(self, narrow: Receiver) -> None:
        """The body takes longer than the timeouts for heads and for silence."""
        body = sample_body("slow")
        size_bytes = len(body) // 30
        with Sender(narrow, f"content-length: {len(body)}") as sender:
            for start in range(0, len(body), size_bytes):
                sender.send(body[start : start + size_bytes])
                time.sleep(0.12)

            assert sender.answer()[1]["status"] == "0"


class TestBrokenTransfers:
    def test_sender_that_disconnects_half_way_leaves_no_files(self, receiver: Receiver) -> None:
        before, body = receiver.kept(), sample_body("half way", note="x" * 9_000_000)
        sender = Sender(receiver, f"content-length: {len(body)}")
        sender.send(body[:-2_000_000])
        wait_until(lambda: receiver.kept() != before)

        sender.leave()

        wait_until(lambda: receiver.kept() == before)
        assert "Traceback" not in receiver.log.read_text()

    @pytest.mark.parametrize(
        "lines",
        [
            ("content-length: 10", "content-length: 11"),
            ("content-length: 10", "transfer-encoding: chunked"),
            ("content-length: ten",),
            ("content-length: -1",),
        ],
        ids=str,
    )
    def test_contradictory_or_invalid_lengths_are_refused(self, receiver: Receiver, lines: tuple[str, ...]) -> None:
        before = receiver.kept()
        with Sender(receiver, *lines) as sender:
            sender.send(sample_body())

            assert sender.read().startswith(b"HTTP/1.1 400 ")

        assert receiver.kept() == before

    @pytest.mark.parametrize("digit", ["0", "1"])
    def test_content_length_of_many_digits_is_refused(self, receiver: Receiver, digit: str) -> None:
        with Sender(receiver, f"content-length: {digit * 5000}") as sender:
            status, content = sender.answer()

        assert (status, content["status"], content["document"]) == (400, "-1", None)
        assert receiver.client.get("/healthz").status_code == 200
        assert "Traceback" not in receiver.log.read_text()


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A receiver with places for four archives, of 28 MB together. One address gets three of them."""
    folder = tmp_path_factory.mktemp("crowded")
    with receiving(folder, max_requests_in_flight=4, max_bytes_in_flight=28_000_000) as receiver:
        yield receiver


class TestRoom:
    """Limits on the number and bytes of all archives in flight."""

    def test_body_that_exceeds_the_bytes_in_flight_must_be_sent_later(self, crowded: Receiver) -> None:
        before, body = crowded.waiting(), sample_body("large", note="x" * 16_000_000)
        with Sender(crowded, f"content-length: {len(body)}") as sender:
            sender.send(body[:-1])
            wait_until(lambda: crowded.waiting() != before)

            announced, unannounced = crowded.post(body), crowded.post(iter([body[:5_000_000], body[5_000_000:]]))

            assert_refused(announced, 503, "UNAVAILABLE")
            assert_refused(unannounced, 503, "UNAVAILABLE")
            sender.send(body[-1:])
            assert sender.answer()[1]["status"] == "0"
        assert {name for name in crowded.waiting() if name.endswith(".part")} == set()
        assert crowded.post(body).json()["status"] == "0"

    def test_single_archive_may_exceed_the_bytes_in_flight(self, crowded: Receiver) -> None:
        assert crowded.post(sample_body("alone", attachments=[attachment(b"x" * 30_000_000)])).json()["status"] == "0"

    def test_senders_that_disconnect_free_their_places(self, crowded: Receiver) -> None:
        for _ in range(6):
            with Sender(crowded, "content-length: 9000000") as sender:
                sender.send(b" " * 1000)
        wait_until(lambda: not any(name.endswith(".part") for name in crowded.waiting()))

        assert crowded.post(sample_body("after them")).json()["status"] == "0"


class TestSlowHeads:
    def test_head_that_never_ends_times_out(self, narrow: Receiver) -> None:
        with socket.create_connection(("127.0.0.1", narrow.port), timeout=LONGEST_S) as slow:
            slow.sendall(b"POST /webhooks/cellosign HTTP/1.1\r\nhost: cellar\r\nx-a: ")
            while not select.select([slow], [], [], 0.1)[0]:
                slow.sendall(b"b")
            status, content = answer_on(slow)

            assert (status, content["status"], content["document"]) == (408, "-1", None)
            assert content["errordesc"].startswith("HEADER_TIMEOUT")
            assert slow.recv(1) == b""

    def test_silent_connection_times_out(self, narrow: Receiver) -> None:
        with socket.create_connection(("127.0.0.1", narrow.port), timeout=LONGEST_S) as silent:
            assert silent.recv(1000).startswith(b"HTTP/1.1 408 ")

    def test_second_head_of_a_connection_times_out_too(self, narrow: Receiver) -> None:
        body = sample_body("first")
        with Sender(narrow, f"content-length: {len(body)}") as sender:
            sender.send(body)
            assert sender.answer()[1]["status"] == "0"
            sender.send(b"POST /webhooks/cellosign HTTP/1.1\r\n")

            assert sender.answer()[0] == 408

    @pytest.mark.parametrize(("lines", "end"), [(b"", b"HTTP/1.1 408 "), (b"content-length: 100\r\n", b"")])
    def test_connection_that_is_silent_after_an_answer_times_out(
        self, narrow: Receiver, lines: bytes, end: bytes
    ) -> None:
        """A body that has not ended is no place for another answer."""
        with socket.create_connection(("127.0.0.1", narrow.port), timeout=LONGEST_S) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: cellar\r\n" + lines + b"\r\n")
            assert answer_on(connection)[0] == 200

            connection.sendall(b"\r\n")

            assert connection.recv(1000)[:13] == end


class TestConnection:
    """The protocol bypasses the parser within a body. Everything around the body must still be parsed."""

    def test_pipelined_requests_are_all_accepted(self, receiver: Receiver) -> None:
        bodies = [
            sample_body(f"close {number}", note="x" * size) for number, size in enumerate((10, 3_000_000, 700_000))
        ]
        heads = [head(receiver.secret, f"content-length: {len(body)}") for body in bodies]
        with socket.create_connection(("127.0.0.1", receiver.port), timeout=LONGEST_S) as connection:
            connection.sendall(b"".join(each + body for each, body in zip(heads, bodies, strict=True)))

            for body in bodies:
                assert answer_on(connection)[1]["document"]["reference"] == receipt_id_of(body)

    @pytest.mark.parametrize("pieces", [1, 2])
    def test_offer_to_upgrade_with_a_chunked_body_is_ignored(self, receiver: Receiver, pieces: int) -> None:
        body = sample_body("upgrade", note="x" * 100_000)
        lines = ("connection: upgrade, http2-settings", "upgrade: h2c", "transfer-encoding: chunked")
        whole = head(receiver.secret, *lines) + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        with socket.create_connection(("127.0.0.1", receiver.port), timeout=LONGEST_S) as connection:
            for start in range(0, len(whole), 1 + len(whole) // pieces):
                connection.sendall(whole[start : start + 1 + len(whole) // pieces])
                time.sleep(0.1)

            assert answer_on(connection)[1]["document"]["reference"] == receipt_id_of(body)

    def test_many_pipelined_offers_to_upgrade_are_all_ignored(self, receiver: Receiver) -> None:
        one = b"GET /healthz HTTP/1.1\r\nhost: cellar\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"
        with socket.create_connection(("127.0.0.1", receiver.port), timeout=LONGEST_S) as connection:
            connection.sendall(one * 3000)
            answers = [answer_on(connection)[0] for _ in range(3000)]

        assert set(answers) == {200}
        assert "Traceback" not in receiver.log.read_text()

    def test_body_in_tiny_chunks_takes_constant_memory(self, receiver: Receiver) -> None:
        body = sample_body("tiny chunks", note="x" * 300_000)
        before_bytes = peak_bytes(receiver.process.pid)
        with Sender(receiver, "transfer-encoding: chunked") as sender:
            sender.send(b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n")

            assert sender.answer()[1]["document"]["reference"] == receipt_id_of(body)
        assert peak_bytes(receiver.process.pid) - before_bytes < 40 << 20

    def test_chunk_without_a_length_is_refused_at_once(self, receiver: Receiver) -> None:
        with Sender(receiver, "transfer-encoding: chunked") as sender:
            sender.send(b"5\r\nhello\r\nnot a length\r\n")

            status, content = sender.answer()

        assert (status, content["status"]) == (400, "-1")

    @pytest.mark.parametrize("behind", [b"EHLO cellar\r\n\r\n", b"POST /webhooks/cel"])
    def test_garbage_after_a_request_does_not_suppress_its_answer(self, narrow: Receiver, behind: bytes) -> None:
        body = sample_body("owed")
        with Sender(narrow, f"content-length: {len(body)}") as sender:
            sender.send(body + behind)

            assert sender.answer()[1]["document"]["reference"] == receipt_id_of(body)

    def test_data_that_is_not_http_gets_the_documented_refusal(self, receiver: Receiver) -> None:
        with socket.create_connection(("127.0.0.1", receiver.port), timeout=LONGEST_S) as connection:
            connection.sendall(b"EHLO cellar\r\n\r\n")
            status, content = answer_on(connection)

        assert (status, content["status"]) == (400, "-1")
        assert content["errordesc"].startswith("NOT_HTTP")

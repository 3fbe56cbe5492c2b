"""`POST /webhooks/cellosign` over real HTTP. Prefect is away all the time: no answer may depend on it."""

import base64
import hashlib
import http.client
import itertools
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.inbox import sendings
from tests.api.conftest import SECRET, Receiver, receiving
from tests.conftest import wait_until
from tests.samples import sample_body, sample_document

MARKER = "Marker-314159"
"""Stands for a person's data: in every payload that is refused, and nowhere else."""


def receipt_id_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def basic(secret: str) -> str:
    return "Basic " + base64.b64encode(f"cellosign:{secret}".encode()).decode()


def assert_refused(answer: httpx.Response, status: int, code: str) -> None:
    """The documented shape of an error."""
    content = answer.json()
    assert (answer.status_code, content["status"], content["document"]) == (status, "-1", None)
    assert set(content) == {"status", "document", "errordesc"}
    assert content["errordesc"].startswith(code), content["errordesc"]


def test_success_is_answered_as_documented(receiver: Receiver) -> None:
    body = sample_body("documented")

    answer = receiver.post(body)

    content = answer.json()
    assert answer.status_code == 200
    assert set(content) == {"status", "document", "errordesc"}
    assert (content["status"], content["errordesc"]) == ("0", "")
    assert set(content["document"]) == {"reference", "public_link"}
    assert content["document"]["reference"] == receipt_id_of(body)
    assert content["document"]["public_link"].startswith(f"{receiver.url}/d/")


def test_body_and_sending_are_stored_before_the_answer(receiver: Receiver) -> None:
    body = sample_body("stored / מסמך")

    receiver.post(body, {"authorization": receiver.secret, "user-agent": "Cellosign", "x-private": MARKER})

    receipt_id = receipt_id_of(body)
    (sending,) = receiver.sendings_of(receipt_id)
    assert receiver.body_of(receipt_id) == body
    assert (sending.reference, sending.size_bytes) == ("stored / מסמך", len(body))
    assert sending.headers == {"user-agent": "Cellosign"}


def test_same_body_twice_is_stored_once_with_two_sendings(receiver: Receiver) -> None:
    body = sample_body("twice")

    first, second = receiver.post(body), receiver.post(body)

    receipt_id = receipt_id_of(body)
    assert first.json()["document"]["reference"] == second.json()["document"]["reference"] == receipt_id
    assert len(receiver.sendings_of(receipt_id)) == 2
    assert len([name for name in receiver.waiting() if receipt_id in name]) == 1


def test_thirty_senders_at_once_are_all_acknowledged(receiver: Receiver) -> None:
    bodies = [sample_body(f"concurrent-{number}") for number in range(30)]

    with ThreadPoolExecutor(30) as pool:
        given = list(pool.map(receiver.post, bodies))

    assert [answer.json()["document"]["reference"] for answer in given] == [receipt_id_of(body) for body in bodies]
    assert [receiver.body_of(receipt_id_of(body)) for body in bodies] == bodies


def test_address_with_a_slash_at_its_end_takes_archives_too(receiver: Receiver) -> None:
    body = sample_body("slash")

    answer = receiver.client.post(
        "/webhooks/cellosign/", content=body, headers={"authorization": receiver.secret}, follow_redirects=False
    )

    assert answer.json()["document"]["reference"] == receipt_id_of(body)


class TestAuthorization:
    @pytest.mark.parametrize("secret", [SECRET, "the next secret"])
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("authorization", "Bearer {}"),
            ("authorization", "bearer {}"),
            ("authorization", "{}"),
            ("authorization", "Basic {basic}"),
            ("x-cellar-secret", "{}"),
        ],
    )
    def test_each_active_secret_is_taken_in_each_form(
        self, without_database: Receiver, secret: str, name: str, value: str
    ) -> None:
        presented = value.format(secret, basic=basic(secret).removeprefix("Basic "))

        answer = without_database.post(sample_body("authorized"), {name: presented})

        assert answer.json()["status"] == "0"

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"authorization": ""},
            {"authorization": "Bearer"},
            {"authorization": "Bearer another"},
            {"authorization": "another"},
            {"authorization": "Basic"},
            {"authorization": "Basic !"},
            {"authorization": "Basic " + base64.b64encode(b"\xff:\xff").decode()},
            {"authorization": basic("")},
            {"authorization": basic("another")},
            {"authorization": "Digest secret"},
            {"x-cellar-secret": ""},
            {"x-cellar-secret": "another"},
        ],
        ids=str,
    )
    def test_sender_without_an_active_secret_is_refused_and_leaves_nothing(
        self, receiver: Receiver, headers: dict[str, str]
    ) -> None:
        before = receiver.kept()

        answer = receiver.post(sample_body("unauthorized"), headers)

        assert_refused(answer, 401, "UNAUTHORIZED")
        assert receiver.kept() == before

    def test_part_of_a_secret_is_none(self, receiver: Receiver) -> None:
        for wrong in (receiver.secret[:-1], receiver.secret + "x", f"{receiver.secret},{receiver.secret}"):
            assert_refused(receiver.post(sample_body(), {"authorization": f"Bearer {wrong}"}), 401, "UNAUTHORIZED")


class Sender:
    """A sender that speaks plainly over a socket, and looks at the answer only when it has sent what it wants."""

    def __init__(self, receiver: Receiver, *lines: str, secret: str | None = None) -> None:
        self._socket = socket.create_connection(("127.0.0.1", receiver.port), timeout=30)
        authorization = f"authorization: {receiver.secret if secret is None else secret}"
        head = ["POST /webhooks/cellosign HTTP/1.1", "host: cellar", authorization, *lines, "", ""]
        self._socket.sendall("\r\n".join(head).encode())

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read(self) -> bytes:
        return self._socket.recv(1 << 16)

    def answer(self) -> tuple[int, Any]:
        """The status and the content, once the server has sent all of it."""
        answer = http.client.HTTPResponse(self._socket)
        answer.begin()
        return answer.status, json.loads(answer.read())

    def leave(self) -> None:
        self._socket.close()

    def __enter__(self) -> "Sender":
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()


class TestAnswerBeforeTheEndOfTheBody:
    @pytest.mark.parametrize("size_mb", [1, 9, 50])
    @pytest.mark.parametrize("connection", ["close", "keep-alive"])
    def test_refused_sender_can_send_all_and_then_read_the_answer(
        self, receiver: Receiver, size_mb: int, connection: str
    ) -> None:
        lines = (f"content-length: {size_mb << 20}", f"connection: {connection}")
        with Sender(receiver, *lines, secret="wrong") as sender:
            for _ in range(size_mb):
                sender.send(b" " * (1 << 20))

            status, content = sender.answer()

        assert (status, content["status"]) == (401, "-1")

    def test_refused_sender_is_answered_before_it_has_sent_anything(self, receiver: Receiver) -> None:
        with Sender(receiver, "content-length: 1000000000", secret="wrong") as sender:
            assert sender.answer()[0] == 401

    def test_sender_by_httpx_sees_the_answer(self, receiver: Receiver) -> None:
        answer = receiver.post(b" " * (50 << 20), {"authorization": "wrong"})

        assert_refused(answer, 401, "UNAUTHORIZED")

    def test_refused_sender_that_never_ends_is_cut_off(self, receiver: Receiver) -> None:
        chunk = b"100000\r\n" + b" " * (1 << 20) + b"\r\n"
        with Sender(receiver, "transfer-encoding: chunked", secret="wrong") as sender, pytest.raises(ConnectionError):
            sender.send(chunk * 200)

    def test_refused_sender_that_falls_silent_is_cut_off(self, narrow: Receiver) -> None:
        with Sender(narrow, "content-length: 1000", secret="wrong") as sender:
            assert sender.answer()[0] == 401
            assert sender.read() == b""

    def test_sender_that_waits_for_leave_to_send_is_refused_without(self, receiver: Receiver) -> None:
        with Sender(receiver, "content-length: 1000", "expect: 100-continue", secret="wrong") as sender:
            assert sender.read().startswith(b"HTTP/1.1 401 ")

    def test_sender_that_waits_for_leave_to_send_gets_it(self, receiver: Receiver) -> None:
        body = sample_body("continue")
        with Sender(receiver, f"content-length: {len(body)}", "expect: 100-continue") as sender:
            assert sender.read() == b"HTTP/1.1 100 Continue\r\n\r\n"
            sender.send(body)

            assert sender.answer()[1]["document"]["reference"] == receipt_id_of(body)


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A receiver with little room and little patience."""
    folder = tmp_path_factory.mktemp("narrow")
    with receiving(folder, max_body_bytes=100_000, body_timeout_s=1, sweep_interval_s=1) as receiver:
        yield receiver


class TestLimits:
    def test_body_that_is_announced_as_too_large_is_refused(self, narrow: Receiver) -> None:
        before = narrow.kept()

        assert_refused(narrow.post(b" " * 100_001), 413, "TOO_LARGE")

        assert narrow.kept() == before

    def test_body_that_grows_too_large_is_refused(self, narrow: Receiver) -> None:
        before = narrow.kept()

        assert_refused(narrow.post(iter([b" " * 1000] * 2000)), 413, "TOO_LARGE")

        assert narrow.kept() == before

    def test_body_of_the_largest_size_is_taken(self, narrow: Receiver) -> None:
        body = sample_body("largest", note="")
        body = body.replace(b'"note": ""', b'"note": "%b"' % (b"x" * (100_000 - len(body))))

        assert narrow.post(body).json()["document"]["reference"] == receipt_id_of(body)

    def test_sender_that_falls_silent_is_given_up(self, narrow: Receiver) -> None:
        before, body = narrow.kept(), sample_body()
        with Sender(narrow, f"content-length: {len(body)}") as sender:
            sender.send(body[:-1])

            status, content = sender.answer()

        assert (status, content["status"]) == (408, "-1")
        assert content["errordesc"].startswith("BODY_TIMEOUT")
        assert narrow.kept() == before

    def test_slow_sender_that_keeps_sending_is_taken(self, narrow: Receiver) -> None:
        body = sample_body("slow")
        with Sender(narrow, f"content-length: {len(body)}") as sender:
            for start in range(0, len(body), len(body) // 3):
                sender.send(body[start : start + len(body) // 3])
                time.sleep(0.5)

            assert sender.answer()[1]["status"] == "0"


class TestBrokenTransfers:
    def test_sender_that_leaves_half_way_leaves_nothing(self, receiver: Receiver) -> None:
        before, body = receiver.kept(), sample_body()
        sender = Sender(receiver, f"content-length: {len(body)}")
        sender.send(body[: len(body) // 2])
        wait_until(lambda: receiver.kept() != before, timeout_s=5)

        sender.leave()

        wait_until(lambda: receiver.kept() == before, timeout_s=5)
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
    def test_lengths_that_contradict_are_refused(self, receiver: Receiver, lines: tuple[str, ...]) -> None:
        before = receiver.kept()
        with Sender(receiver, *lines) as sender:
            sender.send(sample_body())

            assert sender.read().startswith(b"HTTP/1.1 400 ")

        assert receiver.kept() == before

    def test_chunked_body_is_taken(self, receiver: Receiver) -> None:
        body = sample_body("chunked")

        answer = receiver.post(iter([body[:10], body[10:]]))

        assert answer.json()["document"]["reference"] == receipt_id_of(body)


def marked(**members: Any) -> bytes:
    """An archive full of a person's data, with members of the root replaced."""
    document = sample_document() | {"reference": MARKER, MARKER: [MARKER]}
    document["sessions"][0] |= {"author": MARKER, "recipient": {"name": MARKER, MARKER: MARKER}}
    document["attachments"][0]["filename"] = MARKER
    return json.dumps(document | members).encode()


def without(name: str) -> bytes:
    return json.dumps({key: value for key, value in json.loads(marked()).items() if key != name}).encode()


def with_content(content: Any) -> bytes:
    return marked(attachments=[{"id": MARKER, "filename": MARKER, "mimetype": "image/png", "content": content}])


BAD_INPUT: dict[str, tuple[bytes, int, str]] = {
    "not JSON": (b"<xml>Marker-314159</xml>", 400, "NOT_JSON"),
    "a form": (b"payload=Marker-314159", 400, "NOT_JSON"),
    "not JSON after a name": (b'{"Marker-314159" "Marker-314159"}', 400, "NOT_JSON"),
    "raw line break in text": (b'{"a": "Marker-314159\n"}', 400, "NOT_JSON"),
    "single quotes": (b"{'Marker-314159': 1}", 400, "NOT_JSON"),
    "comma at the end": (b'{"Marker-314159": 1,}', 400, "NOT_JSON"),
    "empty": (b"", 400, "EMPTY_BODY"),
    "only blanks": (b" \r\n\t ", 400, "EMPTY_BODY"),
    "only a byte order mark": (b"\xef\xbb\xbf", 400, "EMPTY_BODY"),
    "a list": (b'["Marker-314159"]', 400, "NOT_AN_OBJECT"),
    "a text": (b'"Marker-314159"', 400, "NOT_AN_OBJECT"),
    "a number": (b"314159", 400, "NOT_AN_OBJECT"),
    "null": (b"null", 400, "NOT_AN_OBJECT"),
    "NaN": (marked(latitude=float("nan")), 400, "NOT_JSON"),
    "Infinity": (marked(latitude=float("inf")), 400, "NOT_JSON"),
    "wrong UTF-8": (marked().replace(b"Marker-314159", b"Marker-314159\xff"), 400, "NOT_UTF8"),
    "surrogate in UTF-8": (marked().replace(b"Marker-314159", b"Marker-314159\xed\xa0\x80"), 400, "NOT_UTF8"),
    "UTF-16": (marked().decode().encode("utf-16-le"), 400, "NOT_"),
    "too deep": (b'{"Marker-314159":' + b"[" * 64 + b"]" * 64 + b"}", 400, "TOO_DEEP"),
    "very deep": (b'{"Marker-314159":' + b"[" * 1_000_000, 400, "TOO_DEEP"),
    "truncated": (marked()[:-1], 400, "TRUNCATED"),
    "truncated in a text": (b'{"reference": "Marker-314159', 400, "TRUNCATED"),
    "truncated in a content": (with_content("QUJD").partition(b"UJD")[0], 400, "TRUNCATED"),
    "over-long": (marked() + marked(), 400, "NOT_JSON"),
    "over-long by a bracket": (marked() + b"}", 400, "NOT_JSON"),
    "no event": (without("event"), 422, "EVENT_MISSING"),
    "event is a text": (marked(event=MARKER), 422, "EVENT_MISSING"),
    "event without a type": (marked(event={"timestamp": MARKER}), 422, "EVENT_MISSING"),
    "another event": (marked(event={"type": "WHEF_FORM_FIELD_CHANGED"}), 422, "WRONG_EVENT"),
    "an unknown event": (marked(event={"type": MARKER}), 422, "WRONG_EVENT"),
    "no reference": (without("reference"), 422, "REFERENCE_MISSING"),
    "reference is null": (marked(reference=None), 422, "REFERENCE_MISSING"),
    "reference is empty": (marked(reference=""), 422, "REFERENCE_MISSING"),
    "reference is a number": (marked(reference=314159), 422, "BAD_REFERENCE"),
    "reference is too long": (marked(reference=(MARKER * 20)[:256]), 422, "BAD_REFERENCE"),
    "reference with NUL": (marked(reference=f"{MARKER}\0"), 422, "BAD_REFERENCE"),
    "reference with half an emoji": (marked(reference=f"{MARKER}\ud83d"), 422, "BAD_REFERENCE"),
    "no sessions": (without("sessions"), 422, "SESSIONS_MISSING"),
    "sessions are null": (marked(sessions=None), 422, "SESSIONS_MISSING"),
    "sessions are an object": (marked(sessions={MARKER: {}}), 422, "SESSIONS_MISSING"),
    "content is words": (with_content(f"{MARKER} is not base64!"), 422, "NOT_BASE64"),
    "content has one character too many": (with_content("QUJDR"), 422, "NOT_BASE64"),
    "content goes on after padding": (with_content("QQ==QQ=="), 422, "NOT_BASE64"),
    "content is Hebrew": (with_content("שלום"), 422, "NOT_BASE64"),
    "content is percent-encoded": (with_content("data:image/png,%41"), 422, "NOT_BASE64"),
    "content is a number": (with_content(314159), 422, "NOT_BASE64"),
    "content is an object": (with_content({MARKER: MARKER}), 422, "NOT_BASE64"),
    "content of the document": (marked(signed_document={"content": f"%{MARKER}"}), 422, "NOT_BASE64"),
    "too much beside the files": (marked(note=MARKER * 1_300_000), 413, "SKELETON_TOO_LARGE"),
}


@pytest.mark.parametrize("name", BAD_INPUT)
def test_bad_input_is_refused_and_kept_in_quarantine(receiver: Receiver, name: str) -> None:
    """Nothing that was sent is repeated: not in the answer, not in the log, not in the reason."""
    body, status, code = BAD_INPUT[name]
    waiting, logged = receiver.waiting(), receiver.log.stat().st_size

    answer = receiver.post(body)

    assert_refused(answer, status, code)
    entry = receiver.quarantine()[receipt_id_of(body)]
    assert entry.code.startswith(code)
    assert entry.size_bytes == len(body)
    assert (receiver.inbox / "quarantine" / f"{entry.receipt_id}.body").read_bytes() == body
    assert receiver.waiting() == waiting
    told = answer.text + repr(entry) + receiver.log.read_bytes()[logged:].decode()
    assert "314159" not in told.replace(entry.receipt_id, "")
    assert "Traceback" not in told


def test_receiver_serves_on_after_bad_input(receiver: Receiver) -> None:
    assert receiver.client.get("/healthz").status_code == 200
    assert receiver.client.get("/readyz").status_code == 200
    assert receiver.post(sample_body("after all of it")).json()["status"] == "0"


ACCEPTED: dict[str, bytes] = {
    "unknown fields": sample_body("accepted", new={"unknown": [1, None, {"x": True}]}),
    "byte order mark": b"\xef\xbb\xbf" + sample_body("accepted"),
    "blanks around": b" \r\n\t" + sample_body("accepted") + b"\n\n",
    "duplicate keys": sample_body("first").replace(b'{"event"', b'{"reference": 17, "event"', 1)[:-1]
    + b', "reference": "accepted"}',
    "NUL": sample_body("accepted", note="a\0b"),
    "half an emoji": sample_body("accepted", note="cut \ud83d in two \ude00"),
    "raw UTF-8": sample_body("accepted", note="@").replace(b"@", "שלום 😀".encode()),
    "no sessions in the list": sample_body("accepted", sessions=[]),
    "no files": sample_body("accepted", attachments=[], signed_document=None),
    "depth of 64": sample_body("accepted")[:-1] + b', "deep": ' + b"[" * 63 + b"]" * 63 + b"}",
    "numbers of any size": sample_body("accepted")[:-1] + b', "big": 1' + b"0" * 5000 + b', "huge": 1e999}',
    "optional fields of the wrong type": sample_body("accepted", payments="none", data={"a": 1}, signatures=17),
    "escaped names": sample_body("accepted").replace(b'"content"', b'"\\u0063ontent"'),
    "base64 with line breaks": b"QUJD\\r\\nREVG\\n",
    "base64 with spaces": b"QU JD",
    "base64 in the url-safe alphabet": b"-_-_",
    "base64 without padding": b"QQ",
    "base64 as a data URI": b"data:image/png;base64,QUJD",
    "base64 with escaped slashes": b"\\/\\/\\/\\/",
    "base64 with escaped characters": b"\\u002B\\u002f\\u0041\\u003D",
    "empty content": b"",
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_unusual_input_is_accepted_byte_by_byte(receiver: Receiver, name: str) -> None:
    """A contract may hang on it."""
    body = ACCEPTED[name]
    if not body.endswith((b"}", b"\n\n")):
        body = sample_body("accepted", signed_document={"content": "@"}).replace(b'"@"', b'"%b"' % body)

    answer = receiver.post(body)

    assert answer.json()["errordesc"] == ""
    receipt_id = receipt_id_of(body)
    assert answer.json()["document"]["reference"] == receipt_id
    assert receiver.body_of(receipt_id) == body
    assert {sending.reference for sending in receiver.sendings_of(receipt_id)} == {"accepted"}


class TestOtherRequests:
    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
    def test_other_methods_are_refused_as_documented(self, receiver: Receiver, method: str) -> None:
        answer = receiver.client.request(method, "/webhooks/cellosign")

        assert_refused(answer, 405, "HTTP")
        assert answer.headers["allow"] == "POST"

    def test_other_webhooks_are_refused_as_documented(self, receiver: Receiver) -> None:
        assert_refused(receiver.client.post("/webhooks/another", content=b"{}"), 404, "HTTP")


class TestErrorsWith200:
    """`CELLAR_ERROR_HTTP=200`, for a sender that takes any other status for a broken connection."""

    @pytest.mark.parametrize(
        ("body", "headers", "code"),
        [
            (b"", None, "EMPTY_BODY"),
            (sample_body(""), None, "REFERENCE_MISSING"),
            (sample_body(), {"authorization": "wrong"}, "UNAUTHORIZED"),
        ],
    )
    def test_errors_are_answered_with_200(
        self, without_database: Receiver, body: bytes, headers: dict[str, str] | None, code: str
    ) -> None:
        assert_refused(without_database.post(body, headers), 200, code)

    def test_other_methods_too(self, without_database: Receiver) -> None:
        assert_refused(without_database.client.get("/webhooks/cellosign"), 200, "HTTP")


class TestWorldThatIsDown:
    def test_database_that_is_away_disturbs_no_acknowledgement(self, without_database: Receiver) -> None:
        body = sample_body("without database")

        answer = without_database.post(body)

        assert answer.json() == {"status": "0", "document": {"reference": receipt_id_of(body)}, "errordesc": ""}
        assert without_database.body_of(receipt_id_of(body)) == body
        ready = without_database.client.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (200, "ready")
        assert {ready.json()[name] for name in ("database", "prefect")} == {"unreachable"}

    def test_database_that_hangs_disturbs_no_acknowledgement(self, tmp_path: Path) -> None:
        """It takes connections and says nothing: each thread that asks it waits."""
        with socket.create_server(("127.0.0.1", 0), backlog=100) as silent:
            location = f"postgresql://nobody@127.0.0.1:{silent.getsockname()[1]}/cellar"
            starting = receiving(tmp_path, is_migrated=False, database_url=location)
            with starting as receiver, ThreadPoolExecutor(20) as pool:
                asking = [pool.submit(_ask, receiver, "/readyz") for _ in range(20)]
                receiver.post(sample_body("before"))

                given = [receiver.post(sample_body(f"hanging-{number}")) for number in range(10)]

                assert {answer.json()["status"] for answer in given} == {"0"}
                assert [each.result() for each in asking] == [200] * 20

    def test_inbox_that_is_no_folder_is_told_and_heals(self, receiver: Receiver) -> None:
        away = receiver.inbox.rename(receiver.inbox.with_name("away"))
        receiver.inbox.write_bytes(b"")

        answer, ready = receiver.post(sample_body("heals")), receiver.client.get("/readyz")

        receiver.inbox.unlink()
        away.rename(receiver.inbox)
        assert_refused(answer, 503, "UNAVAILABLE")
        assert answer.headers["retry-after"]
        assert (ready.status_code, ready.json()["status"]) == (503, "not ready")
        assert ready.json()["reason"].startswith("the inbox does not take payloads")
        assert receiver.client.get("/readyz").status_code == 200
        assert receiver.post(sample_body("heals")).json()["status"] == "0"

    def test_full_disk_is_told_and_heals(self, receiver: Receiver) -> None:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", receiver.inbox], capture_output=True, check=False
        )
        if mounted.returncode:
            pytest.skip("this user may not mount a small disk")
        try:
            large = receiver.post(sample_body("large", note="x" * (3 << 20)))
            left = receiver.kept()
            small = receiver.post(sample_body("small"))
        finally:
            subprocess.run(["umount", receiver.inbox], check=True)
        assert_refused(large, 503, "UNAVAILABLE")
        assert left == (set(), set())
        assert small.json()["status"] == "0"


def _ask(receiver: Receiver, path: str) -> int:
    return httpx.get(receiver.url + path, timeout=30, trust_env=False).status_code


@dataclass(frozen=True)
class Crash:
    """A receiver that was killed twice: bodies that it had acknowledged, and its files before and after a start."""

    acknowledged: list[bytes]
    left: set[str]
    kept: set[str]
    receiver: Receiver


@pytest.fixture(scope="module")
def crash(tmp_path_factory: pytest.TempPathFactory) -> Crash:
    folder = tmp_path_factory.mktemp("crash")
    with receiving(folder, body_timeout_s=0.1) as receiver:
        with Sender(receiver, "content-length: 2000000") as unfinished:
            unfinished.send(b" " * 1_500_000)
            acknowledged = _sent_until_killed(receiver, "first")
        left = receiver.waiting()
        time.sleep(0.2)  # a living receiver's files are younger than twice the time-out
    with receiving(folder, body_timeout_s=0.1) as receiver:
        kept = receiver.waiting()
        acknowledged += _sent_until_killed(receiver, "second")
    return Crash(acknowledged, left, kept, receiver)


class TestCrashes:
    def test_killed_receiver_loses_nothing_that_it_has_acknowledged(self, crash: Crash) -> None:
        found = {receipt_id_of(body): body for body in crash.acknowledged}
        assert len(found) >= 20
        assert {receipt_id: crash.receiver.body_of(receipt_id) for receipt_id in found} == found
        assert set(found) <= {sending.receipt_id for sending in sendings(crash.receiver.inbox)}

    def test_what_a_killed_receiver_left_half_done_is_swept_at_the_next_start(self, crash: Crash) -> None:
        half_done = {name for name in crash.left if name.endswith(".part")}
        assert half_done
        assert crash.kept == crash.left - half_done


def _sent_until_killed(receiver: Receiver, prefix: str) -> list[bytes]:
    """Four senders at once; the receiver is killed in the middle. Returns what was acknowledged."""
    enough = len(receiver.waiting()) + 30
    with ThreadPoolExecutor(4) as pool:
        sending = [pool.submit(_send_until_it_dies, receiver, f"{prefix}-{number}") for number in range(4)]
        wait_until(lambda: len(receiver.waiting()) > enough, timeout_s=30)
        receiver.process.kill()
        receiver.process.wait()
        return [body for each in sending for body in each.result()]


def _send_until_it_dies(receiver: Receiver, prefix: str) -> list[bytes]:
    acknowledged: list[bytes] = []
    with httpx.Client(base_url=receiver.url, trust_env=False, timeout=30) as client:
        for number in itertools.count():
            body = sample_body(f"{prefix}-{number}", note="x" * 100_000)
            try:
                answer = client.post("/webhooks/cellosign", content=body, headers={"authorization": receiver.secret})
            except httpx.HTTPError:
                break
            if answer.json()["status"] == "0":
                acknowledged.append(body)
    return acknowledged

"""Limits the size, duration and number of bodies, of all and of a source at an address, and cleans up after them."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlmodel import select

from api.receiver.admission import Admission
from api.receiver.processes import Processes
from api.receiver.refusing import MANY
from models.errors import Transient
from models.messages.notification import EventRow, EventType
from models.sources import StatedTerms
from services import sources
from tests.api.conftest import TOKEN, Receiver, attachment, receiving
from tests.api.senders import Sender, assert_refused, login_cookie, receipt_id_of
from tests.conftest import LONGEST_S, Configure, wait_until
from tests.installations import installed
from tests.records import all_of
from tests.samples import sample_body
from tests.scrapes import scraped

ELSEWHERE = "203.0.113.7"
LARGE = sample_body("large", note="x" * 5_000_000)


def test_body_of_more_than_the_largest_allowed_size_is_refused(narrow: Receiver) -> None:
    before = narrow.kept()
    assert_refused(narrow.post(b" " * 100_001), 413, "TOO_LARGE")
    assert_refused(narrow.post(iter([b" " * 1000] * 2000)), 413, "TOO_LARGE")
    assert narrow.kept() == before

    body = sample_body("largest", note="")
    body = body.replace(b'"note": ""', b'"note": "%b"' % (b"x" * (100_000 - len(body))))
    assert narrow.post(body).json()["document"]["reference"] == receipt_id_of(body)


def test_sender_that_stops_or_sends_too_slowly_times_out(narrow: Receiver) -> None:
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

        for archive, of_json, form_sender in (senders[:3], senders[3:]):
            status, content = archive.answer()
            assert (status, content["status"], content["errordesc"][:12]) == (408, "-1", "BODY_TIMEOUT")
            status, content = of_json.answer()
            assert (status, content["error"]["code"]) == (408, "BODY_TIMEOUT")
            assert form_sender.read().startswith(b"HTTP/1.1 408 ")

    assert narrow.kept() == before


def test_slow_sender_that_keeps_sending_is_accepted(narrow: Receiver) -> None:
    """The body takes longer than the timeouts for heads and for silence."""
    body = sample_body("slow")
    size_bytes = len(body) // 30
    with Sender(narrow, f"content-length: {len(body)}") as sender:
        for start in range(0, len(body), size_bytes):
            sender.send(body[start : start + size_bytes])
            time.sleep(0.12)

        assert sender.answer()[1]["status"] == "0"


def test_sender_that_disconnects_half_way_leaves_no_files(receiver: Receiver) -> None:
    before, body = receiver.kept(), sample_body("half way", note="x" * 9_000_000)
    with Sender(receiver, f"content-length: {len(body)}") as sender:
        sender.send(body[:-2_000_000])
        wait_until(lambda: receiver.kept() != before)

    wait_until(lambda: receiver.kept() == before)
    assert "Traceback" not in receiver.log.read_text()


@pytest.mark.parametrize(("places", "own"), [(1, 1), (2, 1), (3, 2), (4, 3), (5, 3), (128, 96)])
def test_address_gets_three_quarters_of_the_places_at_most_and_at_least_one(
    configure: Configure, places: int, own: int
) -> None:
    configure(max_requests_in_flight=places)
    admission = Admission(Processes.alone())
    with ExitStack() as taken:
        for _ in range(own):
            taken.enter_context(admission.place("192.0.2.1", "default"))
        with pytest.raises(Transient):
            taken.enter_context(admission.place("192.0.2.1", "default"))

        for number in range(places - own):
            taken.enter_context(admission.place(f"203.0.113.{number}", "default"))


@pytest.fixture(scope="module")
def of_four(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A receiver with places for four archives, of 40 MB together. One address gets three of them, and 30 MB."""
    folder = tmp_path_factory.mktemp("crowded")
    with receiving(folder, max_requests_in_flight=4, max_bytes_in_flight=40_000_000, api_tokens=TOKEN) as receiver:
        yield receiver


@pytest.fixture
def crowded(of_four: Receiver) -> Receiver:
    """The same receiver, once nothing of the previous test is in flight."""
    wait_until(lambda: in_flight(of_four) == 0)
    return of_four


def in_flight(receiver: Receiver) -> float:
    return scraped(receiver.url, TOKEN).value("cellar_deliveries_in_flight") or 0


def post(receiver: Receiver, body: Any, *, sender: str = "127.0.0.1", forwarded: str = "") -> httpx.Response:
    """Post from an address of this machine, on behalf of the address `forwarded`."""
    headers = {"authorization": receiver.secret} | ({"x-forwarded-for": forwarded} if forwarded else {})
    with httpx.Client(transport=httpx.HTTPTransport(local_address=sender), timeout=LONGEST_S) as client:
        return client.post(f"{receiver.url}/webhooks/cellosign", content=body, headers=headers)


def test_source_has_its_share_of_places_at_an_address_and_others_get_the_rest(crowded: Receiver) -> None:
    with installed(crowded.log.parent):
        second = sources.add("second", StatedTerms(), "the test", datetime.now(UTC)).secret
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(Sender(crowded, "content-length: 9000000")).send(b" " * 8_000_000)
        wait_until(lambda: in_flight(crowded) == 3)

        refused = post(crowded, sample_body("one too many"))
        assert_refused(refused, 503, "UNAVAILABLE")
        assert int(refused.headers["retry-after"]) > 0
        assert post(crowded, sample_body("another"), sender="127.0.0.2").json()["status"] == "0"
        assert post(crowded, sample_body("by proxy"), forwarded=ELSEWHERE).json()["status"] == "0"
        assert_refused(post(crowded, sample_body("by proxy"), forwarded="127.0.0.1"), 503, "UNAVAILABLE")
        url, headers = f"{crowded.url}/webhooks/cellosign/second", {"authorization": second}
        of_second = httpx.post(url, content=sample_body("second"), headers=headers, timeout=LONGEST_S)
        assert of_second.json()["status"] == "0"

        stack.enter_context(Sender(crowded, "content-length: 9000000", f"x-forwarded-for: {ELSEWHERE}"))
        wait_until(lambda: in_flight(crowded) == 4)
        assert_refused(post(crowded, sample_body("one too many"), sender="127.0.0.2"), 503, "UNAVAILABLE")


def test_source_has_its_share_of_bytes_at_an_address_and_others_get_the_rest(crowded: Receiver) -> None:
    """A forwarded address counts only from a proxy that is trusted, as this machine is."""
    with Sender(crowded, "content-length: 29000000", "x-forwarded-for: 127.0.0.2") as sender:
        sender.send(b" " * 8_000_000)
        wait_until(lambda: in_flight(crowded) == 1)

        for forwarded in ("", "127.0.0.1", ELSEWHERE):
            assert_refused(post(crowded, LARGE, sender="127.0.0.2", forwarded=forwarded), 503, "UNAVAILABLE")
        unannounced = iter([LARGE[:2_000_000], LARGE[2_000_000:]])
        assert_refused(post(crowded, unannounced, sender="127.0.0.2"), 503, "UNAVAILABLE")
        assert_refused(post(crowded, b" " * 12_000_000), 503, "UNAVAILABLE")
        assert post(crowded, LARGE).json()["status"] == "0"
    wait_until(lambda: not any(name.endswith(".part") for name in crowded.waiting()))
    assert post(crowded, LARGE, sender="127.0.0.2").json()["status"] == "0"


def test_single_archive_may_exceed_the_bytes_in_flight(crowded: Receiver) -> None:
    body = sample_body("alone", attachments=[attachment(b"x" * 30_000_000)])
    assert len(body) > 40_000_000
    assert post(crowded, body).json()["status"] == "0"


@pytest.mark.parametrize("length", ["content-length: 9000000", "transfer-encoding: chunked"])
def test_slow_bodies_give_way_to_a_new_body_one_at_a_time(crowded: Receiver, length: str) -> None:
    """Their senders have proved their secret and trickle, while others of their source and address wait."""
    with ExitStack() as stack:
        slow = [stack.enter_context(Sender(crowded, length)) for _ in range(3)]
        for sender in slow:
            sender.send(b"a\r\n" + b" " * 10 + b"\r\n")
        wait_until(lambda: in_flight(crowded) == 3)

        wait_until(lambda: post(crowded, sample_body("fast")).json()["status"] == "0")

        wait_until(lambda: any(each.has_answer() for each in slow))
        status, content = next(each for each in slow if each.has_answer()).answer()
        assert (status, content["errordesc"].split(":")[0]) == (503, "UNAVAILABLE")
        assert "slowly" in content["errordesc"]
        assert sum(each.has_answer() for each in slow) == 0


def test_slow_body_gives_back_the_bytes_that_it_announced(crowded: Receiver) -> None:
    with Sender(crowded, "content-length: 29000000") as slow:
        slow.send(b" " * 10)
        wait_until(lambda: in_flight(crowded) == 1)

        wait_until(lambda: post(crowded, LARGE).json()["status"] == "0")

        assert slow.answer()[0] == 503


def test_flood_without_a_valid_secret_is_announced_in_one_message_an_hour(tmp_path: Path) -> None:
    """Refused bodies are kept, and reported as such: they do not count."""
    notified: dict[str, Any] = {
        "notify_urls": "https://erp.example/hook",
        "notify_secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    }
    with receiving(tmp_path, **notified) as receiver, installed(tmp_path, **notified):
        for _ in range(2):
            for _ in range(MANY * 20):
                assert receiver.post(sample_body(), {"authorization": "Bearer of last year"}).status_code == 401
            wait_until(lambda: bool(told()))
        for number in range(MANY * 2):
            assert receiver.post(b"{%d" % number).status_code == 400

        messages = told()

    assert len({each["first_at"][:13] for each in messages}) == len(messages)
    first = messages[0]
    assert first["by_code"] == {"UNAUTHORIZED": first["requests"]}
    assert first["requests"] >= MANY
    assert first["url"].endswith("/readyz")
    assert "last year" not in json.dumps(first)


def told() -> list[dict[str, Any]]:
    found = all_of(select(EventRow.body).where(EventRow.type == EventType.RECEIVER_REFUSING))
    return [json.loads(each)["data"] for each in found]

"""Limits the places and the bytes in flight of a source at an address, and lets slow bodies give way."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

import httpx
import pytest

from models.sources import StatedTerms
from services import sources
from tests.api.conftest import TOKEN, Receiver, receiving
from tests.api.senders import Sender, assert_refused
from tests.conftest import LONGEST_S, wait_until
from tests.installations import installed
from tests.samples import sample_body
from tests.scrapes import scraped

ELSEWHERE = "203.0.113.7"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A receiver with places for four archives, of 40 MB together."""
    folder = tmp_path_factory.mktemp("shared")
    with receiving(folder, max_requests_in_flight=4, max_bytes_in_flight=40_000_000, api_tokens=TOKEN) as receiver:
        yield receiver


@pytest.fixture(autouse=True)
def _no_archive_is_in_flight(shared: Receiver) -> None:
    """Wait until nothing of the previous test is in flight."""
    wait_until(lambda: parts(shared) == 0)
    # The place of an archive is released a moment after its part is gone, in the event loop that also answers this.
    shared.client.get("/readyz").raise_for_status()


@pytest.fixture
def senders(shared: Receiver) -> Iterator[list[Sender]]:
    """Three senders of this address that never finish."""
    with ExitStack() as stack:
        senders = [stack.enter_context(Sender(shared, "content-length: 9000000")) for _ in range(3)]
        for sender in senders:
            sender.send(b" " * 8_000_000)
        wait_until(lambda: parts(shared) == 3)
        yield senders


def parts(receiver: Receiver) -> int:
    """Return the number of archives in flight."""
    return sum(name.endswith(".part") for name in receiver.waiting())


def in_flight(receiver: Receiver) -> float:
    """Return the number of archives in flight, those too of which nothing is written yet."""
    return scraped(receiver.url, TOKEN).value("cellar_deliveries_in_flight") or 0


def post(receiver: Receiver, body: bytes, *, sender: str = "127.0.0.1", forwarded: str | None = None) -> httpx.Response:
    """Post from an address of this machine, on behalf of the address `forwarded`."""
    headers = {"authorization": receiver.secret} | ({"x-forwarded-for": forwarded} if forwarded else {})
    with httpx.Client(transport=httpx.HTTPTransport(local_address=sender), timeout=LONGEST_S) as client:
        return client.post(f"{receiver.url}/webhooks/cellosign", content=body, headers=headers)


@pytest.mark.usefixtures("senders")
class TestShareOfAnAddress:
    def test_address_with_its_full_share_of_places_must_retry_later(self, shared: Receiver) -> None:
        answer = post(shared, sample_body("one too many"))

        assert_refused(answer, 503, "UNAVAILABLE")
        assert int(answer.headers["retry-after"]) > 0

    def test_another_address_still_gets_a_place(self, shared: Receiver) -> None:
        assert post(shared, sample_body("another"), sender="127.0.0.2").json()["status"] == "0"

    def test_local_proxy_names_the_address_that_takes_the_place(self, shared: Receiver) -> None:
        assert post(shared, sample_body("by proxy"), forwarded=ELSEWHERE).json()["status"] == "0"
        assert_refused(post(shared, sample_body("by proxy"), forwarded="127.0.0.1"), 503, "UNAVAILABLE")

    def test_number_of_all_places_is_limited_too(self, shared: Receiver) -> None:
        with Sender(shared, "content-length: 9000000", f"x-forwarded-for: {ELSEWHERE}") as sender:
            sender.send(b" " * 8_000_000)
            wait_until(lambda: parts(shared) == 4)

            assert_refused(post(shared, sample_body("one too many"), sender="127.0.0.2"), 503, "UNAVAILABLE")

    def test_another_source_at_the_same_address_still_gets_a_place(self, shared: Receiver) -> None:
        with installed(shared.log.parent):
            secret = sources.add("second", StatedTerms(), "the test", datetime.now(UTC)).secret

        url = f"{shared.url}/webhooks/cellosign/second"
        answer = httpx.post(url, content=sample_body("second"), headers={"authorization": secret}, timeout=LONGEST_S)

        assert answer.json()["status"] == "0"


class TestSlowBodies:
    """Senders that have proved their secret and trickle their bodies, while others of their source and address wait."""

    @pytest.mark.parametrize("length", [("content-length: 9000000",), ("transfer-encoding: chunked",)])
    def test_give_way_to_a_new_body_one_at_a_time(self, shared: Receiver, length: tuple[str, ...]) -> None:
        with ExitStack() as stack:
            slow = [stack.enter_context(Sender(shared, *length)) for _ in range(3)]
            for sender in slow:
                sender.send(b"a\r\n" + b" " * 10 + b"\r\n")
            wait_until(lambda: in_flight(shared) == 3)

            wait_until(lambda: post(shared, sample_body("fast")).json()["status"] == "0")

            wait_until(lambda: any(each.has_answer() for each in slow))
            status, content = next(each for each in slow if each.has_answer()).answer()
            assert (status, content["errordesc"].split(":")[0]) == (503, "UNAVAILABLE")
            assert "slowly" in content["errordesc"]
            assert sum(each.has_answer() for each in slow) == 0

    def test_give_back_the_bytes_that_they_announced(self, shared: Receiver) -> None:
        body = sample_body("large", note="x" * 5_000_000)
        with Sender(shared, "content-length: 29000000") as slow:
            slow.send(b" " * 10)
            wait_until(lambda: in_flight(shared) == 1)

            wait_until(lambda: post(shared, body).json()["status"] == "0")

            assert slow.answer()[0] == 503


class TestBytesOfAnAddress:
    def test_address_with_its_full_share_of_bytes_must_retry_later(self, shared: Receiver) -> None:
        with Sender(shared, "content-length: 29000000") as sender:
            sender.send(b" " * 8_000_000)
            wait_until(lambda: parts(shared) == 1)
            body = sample_body("large", note="x" * 5_000_000)

            assert_refused(post(shared, body), 503, "UNAVAILABLE")
            assert post(shared, body, sender="127.0.0.2").json()["status"] == "0"

    @pytest.mark.parametrize("forwarded", ["127.0.0.1", ELSEWHERE])
    def test_forwarded_address_counts_only_from_a_trusted_proxy(self, shared: Receiver, forwarded: str) -> None:
        lines = ("content-length: 29000000", "x-forwarded-for: 127.0.0.2")
        with Sender(shared, *lines) as sender:
            sender.send(b" " * 8_000_000)
            wait_until(lambda: parts(shared) == 1)
            body = sample_body("large", note="x" * 5_000_000)

            assert_refused(post(shared, body, sender="127.0.0.2", forwarded=forwarded), 503, "UNAVAILABLE")

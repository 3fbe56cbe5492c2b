"""Limits the places and the bytes in flight of one address."""

from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from tests.api.conftest import Receiver, receiving
from tests.api.senders import Sender, assert_refused
from tests.conftest import LONGEST_S, wait_until
from tests.samples import sample_body

ELSEWHERE = "203.0.113.7"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A receiver with places for four archives, of 40 MB together."""
    folder = tmp_path_factory.mktemp("shared")
    with receiving(folder, max_requests_in_flight=4, max_bytes_in_flight=40_000_000) as receiver:
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

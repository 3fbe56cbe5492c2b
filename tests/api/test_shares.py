"""What one address can take of the places and the bytes, and how slowly it can send."""

from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from tests.api.conftest import Receiver, receiving
from tests.api.senders import Sender, assert_refused
from tests.conftest import wait_until
from tests.samples import sample_body

ELSEWHERE = "203.0.113.7"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A receiver with places for four archives, of 40 MB together."""
    folder = tmp_path_factory.mktemp("shared")
    with receiving(folder, max_requests_in_flight=4, max_bytes_in_flight=40_000_000) as receiver:
        yield receiver


@pytest.fixture(autouse=True)
def _nobody_is_on_the_way(shared: Receiver) -> None:
    """What the senders of the test before have left is gone."""
    wait_until(lambda: parts(shared) == 0, timeout_s=10)


@pytest.fixture
def senders(shared: Receiver) -> Iterator[list[Sender]]:
    """Three senders of this address that do not end."""
    with ExitStack() as stack:
        senders = [stack.enter_context(Sender(shared, "content-length: 9000000")) for _ in range(3)]
        for sender in senders:
            sender.send(b" " * 8_000_000)
        wait_until(lambda: parts(shared) == 3, timeout_s=10)
        yield senders


def parts(receiver: Receiver) -> int:
    """How many archives are on their way in."""
    return sum(name.endswith(".part") for name in receiver.waiting())


def post(receiver: Receiver, body: bytes, *, sender: str = "127.0.0.1", forwarded: str | None = None) -> httpx.Response:
    """Post from an address of this machine, and say on whose behalf."""
    headers = {"authorization": receiver.secret} | ({"x-forwarded-for": forwarded} if forwarded else {})
    with httpx.Client(transport=httpx.HTTPTransport(local_address=sender), timeout=30) as client:
        return client.post(f"{receiver.url}/webhooks/cellosign", content=body, headers=headers)


@pytest.mark.usefixtures("senders")
class TestShareOfAnAddress:
    def test_address_that_has_its_share_of_places_is_asked_to_come_again(self, shared: Receiver) -> None:
        answer = post(shared, sample_body("one too many"))

        assert_refused(answer, 503, "UNAVAILABLE")
        assert int(answer.headers["retry-after"]) > 0

    def test_another_address_finds_a_place(self, shared: Receiver) -> None:
        assert post(shared, sample_body("another"), sender="127.0.0.2").json()["status"] == "0"

    def test_proxy_on_this_machine_says_whose_place_it_is(self, shared: Receiver) -> None:
        assert post(shared, sample_body("by proxy"), forwarded=ELSEWHERE).json()["status"] == "0"
        assert_refused(post(shared, sample_body("by proxy"), forwarded="127.0.0.1"), 503, "UNAVAILABLE")

    def test_all_places_together_are_bounded_too(self, shared: Receiver) -> None:
        with Sender(shared, "content-length: 9000000", f"x-forwarded-for: {ELSEWHERE}") as sender:
            sender.send(b" " * 8_000_000)
            wait_until(lambda: parts(shared) == 4, timeout_s=10)

            assert_refused(post(shared, sample_body("one too many"), sender="127.0.0.2"), 503, "UNAVAILABLE")


class TestBytesOfAnAddress:
    def test_address_that_has_its_share_of_bytes_is_asked_to_come_again(self, shared: Receiver) -> None:
        with Sender(shared, "content-length: 29000000") as sender:
            sender.send(b" " * 8_000_000)
            wait_until(lambda: parts(shared) == 1, timeout_s=10)
            body = sample_body("large", note="x" * 5_000_000)

            assert_refused(post(shared, body), 503, "UNAVAILABLE")
            assert post(shared, body, sender="127.0.0.2").json()["status"] == "0"

    @pytest.mark.parametrize("forwarded", ["127.0.0.1", ELSEWHERE])
    def test_only_a_trusted_proxy_is_believed(self, shared: Receiver, forwarded: str) -> None:
        lines = ("content-length: 29000000", "x-forwarded-for: 127.0.0.2")
        with Sender(shared, *lines) as sender:
            sender.send(b" " * 8_000_000)
            wait_until(lambda: parts(shared) == 1, timeout_s=10)
            body = sample_body("large", note="x" * 5_000_000)

            assert_refused(post(shared, body, sender="127.0.0.2", forwarded=forwarded), 503, "UNAVAILABLE")

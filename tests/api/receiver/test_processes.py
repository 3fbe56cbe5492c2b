"""A receiver of several processes is one receiver: one port, one set of limits, one set of metrics, one end."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from adapters.settings.setting_errors import in_words
from models.runs.receipt import Identity
from tests.api.conftest import TOKEN, Receiver, receiving
from tests.api.senders import Sender, assert_refused
from tests.conftest import LONGEST_S, Configure, wait_until
from tests.installations import deployed, installed, taken_in
from tests.samples import sample_body
from tests.scrapes import Scrape, scraped

PLACES = 4
OWN_PLACES = 3
"""The places of an address among four."""
ELSEWHERE = "203.0.113.7"
ANNOUNCED = "content-length: 5000"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A receiver of two processes, with four places."""
    with of_two(tmp_path_factory.mktemp("pair"), max_requests_in_flight=PLACES) as receiver:
        yield receiver


@pytest.fixture(autouse=True)
def _is_whole(request: pytest.FixtureRequest) -> None:
    if "pair" in request.fixturenames:
        wait_until(lambda: processes(request.getfixturevalue("pair")) == 2)


@contextmanager
def of_two(folder: Path, **values: Any) -> Iterator[Receiver]:
    with receiving(folder, receiver_processes=2, api_tokens=TOKEN, **values) as receiver:
        wait_until(lambda: processes(receiver) == 2)
        yield receiver


def processes(receiver: Receiver) -> int:
    """Return how many processes serve, on a connection of its own."""
    number: int = httpx.get(f"{receiver.url}/readyz", timeout=LONGEST_S, trust_env=False).json()["processes"]
    return number


def children(receiver: Receiver) -> list[int]:
    pid = receiver.process.pid
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextmanager
def without(pid: int) -> Iterator[None]:
    """Stop a process, so that new connections go to the others."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def post(receiver: Receiver, body: bytes, *, forwarded: str = "127.0.0.1") -> httpx.Response:
    """Post on a connection of its own."""
    headers = {"authorization": receiver.secret, "x-forwarded-for": forwarded}
    with httpx.Client(timeout=LONGEST_S, trust_env=False) as client:
        return client.post(f"{receiver.url}/webhooks/cellosign", content=body, headers=headers)


def in_flight(receiver: Receiver) -> float:
    return scraped(receiver.url, TOKEN).value("cellar_deliveries_in_flight") or 0


def acknowledged(scrape: Scrape) -> float:
    return scrape.value("cellar_deliveries_total", {"status": "200", "code": "ACKNOWLEDGED"}) or 0


@contextmanager
def one_in_each(receiver: Receiver) -> Iterator[dict[int, Sender]]:
    """Let each process receive an archive that does not end. Yield the senders by process."""
    pids = children(receiver)
    with ExitStack() as stack:
        senders = {}
        for number, (pid, other) in enumerate(zip(pids, reversed(pids), strict=True), 1):
            with without(other):
                senders[pid] = stack.enter_context(Sender(receiver, ANNOUNCED))
                wait_until(lambda number=number: in_flight(receiver) == number)  # type: ignore[misc]
        yield senders
    wait_until(lambda: in_flight(receiver) == 0)


def test_each_process_answers_on_the_port_and_shows_the_metrics_of_all(pair: Receiver) -> None:
    before = acknowledged(scraped(pair.url, TOKEN))
    first, second = children(pair)
    with without(first):
        assert post(pair, sample_body("to the second")).json()["status"] == "0"
    with without(second):
        assert post(pair, sample_body("to the first")).json()["status"] == "0"

    shown = []
    for pid in (first, second):
        with without(pid):
            shown.append(scraped(pair.url, TOKEN))

    assert [acknowledged(each) - before for each in shown] == [2, 2]
    assert [each.value("cellar_receiver_processes") for each in shown] == [2, 2]
    assert not {"cellar_worker_beat_timestamp_seconds", "cellar_runs_in_progress"} & shown[0].names


def test_limit_of_places_holds_for_all_processes_and_each_address(pair: Receiver) -> None:
    with one_in_each(pair), ExitStack() as stack:
        stack.enter_context(Sender(pair, ANNOUNCED))
        wait_until(lambda: in_flight(pair) == OWN_PLACES)
        for pid in children(pair):
            with without(pid):
                assert_refused(post(pair, sample_body("one too many")), 503, "UNAVAILABLE")
                assert post(pair, sample_body("elsewhere"), forwarded=ELSEWHERE).json()["status"] == "0"
        stack.enter_context(Sender(pair, ANNOUNCED, f"x-forwarded-for: {ELSEWHERE}"))
        wait_until(lambda: in_flight(pair) == PLACES)
        for pid in children(pair):
            with without(pid):
                assert_refused(post(pair, sample_body("elsewhere"), forwarded="203.0.113.9"), 503, "UNAVAILABLE")


def test_killed_process_gives_back_its_places_and_is_replaced(pair: Receiver) -> None:
    before = scraped(pair.url, TOKEN)
    killed, kept = children(pair)
    with one_in_each(pair) as senders:
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: in_flight(pair) == 1)
        assert killed in senders  # its archive was not acknowledged, and its sender sends again
    wait_until(lambda: processes(pair) == 2)

    after = scraped(pair.url, TOKEN)
    assert killed not in children(pair)
    assert kept in children(pair)
    assert "a process of the receiver has ended" in pair.log.read_text()
    assert acknowledged(after) == acknowledged(before)  # a counter that fell would look like a restart
    name = "process_cpu_seconds_total"
    assert (after.value(name) or 0) > (before.value(name) or 0)


def test_no_acknowledged_archive_is_lost_while_processes_are_killed(pair: Receiver) -> None:
    receipts = set()
    for number in range(60):
        if number in (10, 30):
            os.kill(children(pair)[0], signal.SIGKILL)
        with suppress(httpx.HTTPError):
            answer = post(pair, sample_body(f"archive {number}")).json()
            assert answer["status"] == "0"
            receipts.add(answer["document"]["reference"])

    assert len(receipts) >= 58  # of the two that were killed, one request each may be without an answer
    assert receipts <= {each.receipt_id for each in pair.deliveries()}


def test_signal_lets_all_processes_finish_what_they_receive(tmp_path: Path) -> None:
    body = sample_body("at the end")
    with of_two(tmp_path) as receiver:
        pids = children(receiver)
        with one_in_each_until_the_end(receiver, f"content-length: {len(body)}") as senders:
            receiver.process.send_signal(signal.SIGTERM)
            wait_until(lambda: not_listening(receiver))
            for sender in senders:
                sender.send(body)
            answers = [sender.answer() for sender in senders]
        assert receiver.process.wait(LONGEST_S) == 0

    assert [(status, content["status"]) for status, content in answers] == [(200, "0")] * 2
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


@contextmanager
def one_in_each_until_the_end(receiver: Receiver, announced: str) -> Iterator[list[Sender]]:
    pids = children(receiver)
    with ExitStack() as stack:
        senders = []
        for number, other in enumerate(pids, 1):
            with without(other):
                senders.append(stack.enter_context(Sender(receiver, announced)))
                wait_until(lambda number=number: in_flight(receiver) == number)  # type: ignore[misc]
        yield senders


def not_listening(receiver: Receiver) -> bool:
    try:
        httpx.get(f"{receiver.url}/healthz", timeout=1, trust_env=False)
    except httpx.HTTPError:
        return True
    return False


@pytest.mark.parametrize("value", ["0", "65", "two", ""])
def test_wrong_number_of_processes_is_named(configure: Configure, value: str) -> None:
    with pytest.raises(ValidationError) as error:
        configure(receiver_processes=value)

    assert in_words(error.value).startswith("CELLAR_RECEIVER_PROCESSES: ")


@pytest.mark.faults
def test_end_of_the_parent_ends_all_processes(tmp_path: Path) -> None:
    with of_two(tmp_path) as receiver:
        pids = children(receiver)
        receiver.process.kill()
        receiver.process.wait(LONGEST_S)
        wait_until(lambda: not any(map(is_running, pids)))


def is_running(pid: int) -> bool:
    """Return whether a process runs. One that has ended is listed until its new parent notices."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.faults
def test_process_that_stands_still_is_replaced_while_the_other_answers(tmp_path: Path) -> None:
    with of_two(tmp_path) as receiver:
        hung, kept = children(receiver)
        os.kill(hung, signal.SIGSTOP)
        for number in range(20):
            assert post(receiver, sample_body(f"meanwhile {number}")).json()["status"] == "0"
        wait_until(lambda: hung not in children(receiver) and processes(receiver) == 2)

        assert kept in children(receiver)
        assert "hangs and is killed" in receiver.log.read_text()


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_inbox_is_searched_whichever_process_ends(tmp_path: Path, prefect_server: str) -> None:
    """The process that searches for all is one of the two: after each has been killed, another has taken it over."""
    with (
        deployed(prefect_server) as runs,
        of_two(tmp_path, PREFECT_API_URL=prefect_server, sweep_interval_s=1) as receiver,
    ):
        for number, pid in enumerate([None, *children(receiver)], 1):
            if pid:
                os.kill(pid, signal.SIGKILL)
            left_in_the_inbox(receiver, f"left {number}")
            wait_until(lambda number=number: len(runs()) == number)  # type: ignore[misc]


def left_in_the_inbox(receiver: Receiver, reference: str) -> None:
    """Leave a delivery as a receiver does that is killed after its answer."""
    with installed(receiver.log.parent, inbox_url=receiver.inbox):
        taken_in(sample_body(reference)).accept(Identity(reference), datetime.now(UTC) - timedelta(minutes=1), {})

"""People hear of what is wrong once, whoever is killed and whichever address is away."""

import os
import signal
import subprocess
import sys
from datetime import datetime, timedelta
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Response

from adapters.peers.people import masked
from adapters.tables.people import addresses
from adapters.tables.runs import runs
from models.archive.archive import State
from models.messages.notification import EndpointRow
from models.runs.receipt import Cause, RunRow, RunState, Trigger
from models.said import verbatim
from services.custody.remembering import remember_check
from services.people.letters import tell
from tests.conftest import Configure, wait_until
from tests.installations import check
from tests.records import NOON, put, registered
from tests.services.people.conftest import Chat

WRONG = Cause("NO_MEMBER", "load-metadata", "Refused", verbatim("sessions[0]: Dana Levi has no id"))
FAILED, OVER = "cellar: Failed archives", "cellar: Over: Failed archives."


def at(hours: float) -> datetime:
    return NOON + timedelta(hours=hours)


def begun(reference: str, hours: float, run: str = "") -> str:
    """Begin a run of an archive, and return the id of the run."""
    receipt_id, run = registered(reference, reference), run or reference
    its: dict[str, Any] = {
        "flow_run_id": run,
        "reference": reference,
        "receipt_id": receipt_id,
        "started_at": at(hours),
    }
    runs.begin(RunRow(attempt=1, trigger=Trigger.WEBHOOK, state=RunState.RUNNING, **its))
    return run


def fail(reference: str, hours: float, cause: Cause = WRONG) -> None:
    runs.end(begun(reference, hours), 1, RunState.FAILED, State.FAILED, at(hours), cause)


def succeed(reference: str, hours: float) -> None:
    runs.end(begun(reference, hours, f"{reference}-again"), 1, RunState.COMPLETED, State.COMPLETED, at(hours))


def test_failures_are_a_letter_an_hour_while_they_grow_and_one_when_they_are_over(chat_anywhere: Chat) -> None:
    for number in range(20):
        fail(f"r-{number}", number / 10)
        tell(at(number / 10))
    for hours in (3, 4, 5):
        tell(at(hours))
    for number in range(20):
        succeed(f"r-{number}", 5)
    for minutes in (306, 360, 420):
        tell(at(minutes / 60))

    assert chat_anywhere.titles == [FAILED, FAILED, FAILED, OVER]
    counts = ("3 archives", "13 archives", "20 archives")
    assert [each.partition(",")[0] for each in chat_anywhere.texts[:3]] == [
        f"ARCHIVE_FAILED: {each}" for each in counts
    ]
    assert "Levi" not in "".join(chat_anywhere.texts)


def test_letter_names_codes_and_endpoints_and_nothing_of_a_payload_or_a_url(chat: Chat) -> None:
    endpoint = EndpointRow(name="bank", url="https://e.example/secret", created_at=NOON, failing_since=NOON)
    put(endpoint)
    fail("r-1", 0)
    tell(at(1))

    (text,) = chat.texts
    assert text.split("\n")[:2] == [
        "ARCHIVE_FAILED: 1 archive, NO_MEMBER in load-metadata; see `cellar failures`",
        "ENDPOINT_FAILING: 1 endpoint, bank, 0 messages wait; see `cellar endpoints show bank`",
    ]
    assert text.endswith("/console/")
    assert [each for each in ("secret", "Levi", "r-1") if each in text] == []


def test_check_that_breaks_off_is_told_until_one_comes_to_its_end(chat: Chat) -> None:
    remember_check(is_broken=True)
    now = datetime.now().astimezone()
    tell(now + timedelta(hours=1))
    remember_check(is_broken=False)
    tell(now + timedelta(hours=2))

    assert chat.titles == ["cellar: Store not checked", "cellar: Over: Store not checked."]


def test_check_ends_whether_its_end_can_be_remembered_or_not(configure: Configure) -> None:
    configure(database_url="postgresql://nobody@127.0.0.1:1/cellar")

    remember_check(is_broken=True)
    remember_check(is_broken=False)


def test_letter_that_is_not_taken_is_sent_again_and_shown_meanwhile(
    configure: Configure, chat: Chat, httpserver: HTTPServer
) -> None:
    statuses = iter((500, 500, 500, 200))
    httpserver.expect_request("/slow").respond_with_handler(lambda _: Response(status=next(statuses)))
    configure(people_urls=f"{chat.url},{chat.url.replace('/chat', '/slow')}")
    fail("r-1", -1)

    sent = [tell(at(0))]
    warned = check("people")
    sent += [tell(at(minutes / 60)) for minutes in (1, 2, 3, 4, 6, 8, 10)]

    assert [[each.failure for each in round_ if each.failure] for round_ in sent] == [
        why := ["the service answered with status 500"], [], why, [], why, [], [], [],
    ]  # fmt: skip
    paths = [request.path for request, _ in httpserver.log]
    assert (paths.count("/chat"), paths.count("/slow")) == (1, 4)
    assert (warned.verdict, warned.found.partition(":")[0]) == ("warning", "json")
    assert "since 2026-01-01 12:00 UTC: the service answered with status 500" in warned.found
    assert check("people").verdict == "ok"


def test_letter_that_is_sent_again_says_what_is_wrong_then(chat_anywhere: Chat, httpserver: HTTPServer) -> None:
    httpserver.clear()
    httpserver.expect_oneshot_request("/chat").respond_with_data("", status=500)
    fail("r-1", -1)
    tell(at(0))
    httpserver.expect_request("/chat").respond_with_data("")
    fail("r-2", -1)
    tell(at(1))
    succeed("r-1", 1)
    succeed("r-2", 1)
    tell(at(2))

    assert chat_anywhere.titles == [FAILED, FAILED, OVER]
    assert "2 archives" in chat_anywhere.texts[1]


def test_without_addresses_nothing_is_told_and_each_new_address_hears_all_that_is_wrong(
    configure: Configure, chat: Chat, httpserver: HTTPServer
) -> None:
    configure(people_urls="")
    fail("r-1", -1)
    assert tell(at(0)) == []

    configure(people_urls=chat.url)
    tell(at(10))
    httpserver.expect_request("/other").respond_with_data("")
    configure(people_urls=f"{chat.url},{chat.url.replace('/chat', '/other')}")
    tell(at(10.1))

    assert [request.path for request, _ in httpserver.log] == ["/chat", "/other"]
    assert chat.titles == [FAILED, FAILED]


def test_two_processes_that_look_at_once_tell_once(chat_anywhere: Chat) -> None:
    fail("r-1", -1)
    seen = addresses.known(masked(chat_anywhere.url), at(0))
    tell(at(0))

    assert not addresses.claim(seen, at(1))
    assert chat_anywhere.titles == [FAILED]


KILLED = """
from datetime import datetime
from services.people.letters import tell
tell(datetime.fromisoformat("2026-01-01T12:00:00+00:00"))
"""


def test_letter_of_a_killed_process_is_sent_by_the_next_and_once(chat_anywhere: Chat, httpserver: HTTPServer) -> None:
    """The process is killed while the service has the letter and has not answered."""
    httpserver.clear()
    arrived = []

    def _kill(_request: Any) -> Response:
        arrived.append(os.getpid())
        process.send_signal(signal.SIGKILL)
        process.wait()
        return Response()

    httpserver.expect_oneshot_request("/chat").respond_with_handler(_kill)
    fail("r-1", -1)
    environment = os.environ | {
        "CELLAR_PEOPLE_URLS": chat_anywhere.url,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    process = subprocess.Popen([sys.executable, "-c", KILLED], env=environment)
    wait_until(lambda: process.poll() is not None)
    assert (process.returncode, len(arrived)) == (-signal.SIGKILL, 1)
    httpserver.expect_request("/chat").respond_with_data("")

    assert tell(at(0.01)) == []
    tell(at(0.05))
    tell(at(0.1))

    assert chat_anywhere.titles == [FAILED] * 2
    row = addresses.known(masked(chat_anywhere.url), at(1))
    assert (row.told_at, row.failure) == (at(0.05), None)

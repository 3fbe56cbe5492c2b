"""People are notified once of each outage, with its numbers, whoever is killed and whichever address is away."""

import os
import signal
import subprocess
import sys
from datetime import datetime, timedelta
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from sqlmodel import SQLModel, col, select, update
from werkzeug import Response

from adapters.database.transactions import writing
from adapters.tables import conditions
from adapters.tables.conditions import Found
from adapters.tables.people import notices
from adapters.tables.runs import refused, runs
from models.archive.archive import State
from models.completeness.processes import Closing, MissingProcessRow, Why
from models.errors import System
from models.messages.notification import EndpointRow, NotificationRow, NotificationState
from models.people import LetterRow
from models.runs.receipt import Cause, RefusedDelivery, RunRow, RunState, Trigger
from models.said import verbatim
from models.store.condition import ConditionCode, Subject
from services.people.letters import report_refusing, report_unverified, report_verified, tell
from tests.conftest import Configure, wait_until
from tests.installations import check
from tests.records import NOON, all_of, change, digest, put, registered
from tests.services.people.conftest import Chat

WRONG = Cause("NO_MEMBER", "load-metadata", "Refused", verbatim("sessions[0]: expected an id"))
AWAY = Cause("STORE_AWAY", "persist-files", "Transient", verbatim("the store does not answer"))


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


def changed(row: type[SQLModel], **values: Any) -> None:
    change(update(row).values(values))


def test_failures_for_one_cause_are_three_letters(chat_anywhere: Chat) -> None:
    """The first, an update while they grow, and the end, whatever their number."""
    fail("r-0", 0)
    tell(at(0))
    for number in range(1, 5):
        fail(f"r-{number}", number / 2)
    tell(at(2.5))
    tell(at(3))
    tell(at(4))
    for number in range(5):
        succeed(f"r-{number}", 5)
    tell(at(5))
    tell(at(5.1))
    tell(at(5.2))
    tell(at(6))

    assert chat_anywhere.titles == [
        "cellar: 1 archive has failed (NO_MEMBER)",
        "cellar: 5 archives have failed (NO_MEMBER)",
        "cellar: no archive is failed by NO_MEMBER any longer",
    ]
    assert "sessions[0]: expected an id\nAt 2026-01-01 12:00 UTC." in chat_anywhere.texts[0]
    assert "5 archives had failed." in chat_anywhere.texts[2]


def test_each_cause_has_its_own_letter(chat: Chat) -> None:
    fail("r-1", 0)
    fail("r-2", 0, AWAY)

    tell(at(0))

    assert sorted(chat.titles) == [
        "cellar: 1 archive has failed (NO_MEMBER)",
        "cellar: 1 archive has failed (STORE_AWAY)",
    ]


def test_runs_that_wait_for_ten_minutes_are_told_and_so_is_their_end(chat: Chat) -> None:
    for number in range(3):
        runs.wait(begun(f"r-{number}", 0), 1, System.STORE, at(0), AWAY)
    tell(at(0.1))
    assert chat.titles == []

    tell(at(0.2))
    tell(at(1))
    for number in range(3):
        runs.end(f"r-{number}", 1, RunState.COMPLETED, State.COMPLETED, at(1), None)
        succeed(f"r-{number}", 1)
    tell(at(1.1))

    assert chat.titles == [
        "cellar: 3 archives wait for the store",
        "cellar: no archive waits for the store any longer",
    ]


def refuse(numbers: range) -> None:
    """Refuse deliveries, 50 an hour."""
    its = {f"d-{number:05}": (digest(str(number)), at(number / 50)) for number in numbers}
    refused.record([RefusedDelivery(name, *each, 10, "NOT_JSON", "", "no JSON") for name, each in its.items()])


def test_flood_of_refusals_is_told_ever_more_rarely_and_then_its_end(chat_anywhere: Chat) -> None:
    for number in range(0, 200, 25):  # for four hours
        refuse(range(max(0, number - 24), number + 1))
        tell(at(number / 50))
    refuse(range(176, 200))
    for hours in (5, 9, 10, 20):
        tell(at(hours))
    refuse(range(1500, 1501))
    tell(at(30))

    assert chat_anywhere.titles == [
        "cellar: 1 delivery was refused",
        "cellar: 151 deliveries were refused",
        "cellar: 200 deliveries were refused",
        "cellar: no delivery is refused any longer",
        "cellar: 1 delivery was refused",
    ]
    assert chat_anywhere.texts[0].startswith("NOT_JSON 1.")
    assert "200 deliveries in all" in chat_anywhere.texts[3]


def test_missing_processes_are_told_at_24_12_and_2_hours_and_their_end(chat: Chat) -> None:
    its: dict[str, Any] = {"source": "loans", "why": Why.SUBMITTED, "since": at(0), "opened_at": at(1)}
    put(*(MissingProcessRow(missing_id=f"m-{each}", deadline_at=at(48 + each), **its) for each in range(3)))
    for half in range(2 * 23, 2 * 47):
        tell(at(half / 2))
        if half == 2 * 45:
            changed(MissingProcessRow, closed_at=at(45), closed_why=Closing.ARCHIVED)

    assert chat.titles == [
        "cellar: 1 process is missing",  # 24 h
        "cellar: 2 processes are missing",  # 25 h
        "cellar: 3 processes are missing",  # 26 h
        "cellar: 3 processes are missing",  # 36 h: the first is deleted within 12 h
        "cellar: 3 processes are missing",  # 37 h
        "cellar: 3 processes are missing",  # 38 h
        "cellar: no process is missing any longer (loans)",
    ]
    assert chat.texts[3].startswith("To be deleted: 1 within 12 h; 3 within 24 h; the first in 12 h, at")
    assert "archived: 3." in chat.texts[-1]


def endpoint(name: str, **values: Any) -> EndpointRow:
    return EndpointRow(name=name, url="https://e.example/secret", created_at=NOON, **values)


def message(number: int, state: NotificationState) -> NotificationRow:
    its: dict[str, Any] = {"message_id": f"msg_{number}", "endpoint_name": "bank", "state": state, "planned_at": NOON}
    return NotificationRow(reference="", receipt_id="", endpoint="", event="", **its)


def test_endpoint_that_fails_is_told_then_its_dead_messages_and_its_disabling(chat_anywhere: Chat) -> None:
    put(endpoint("bank", failing_since=at(0)), *(message(each, NotificationState.PENDING) for each in range(7)))
    tell(at(0.4))
    tell(at(0.5))
    changed(NotificationRow, state=NotificationState.DEAD)
    tell(at(76))
    changed(EndpointRow, disabled_at=at(80), disabled_why="it answered 410", failing_since=None)
    for hours in (80, 81):
        tell(at(hours))
    changed(EndpointRow, disabled_at=None)
    changed(NotificationRow, state=NotificationState.DELIVERED)
    tell(at(90))

    assert chat_anywhere.titles[:2] == [
        "cellar: endpoint bank does not confirm",
        "cellar: 7 messages to bank are given up",
    ]
    # The letters of one round have no order.
    assert set(chat_anywhere.titles[2:4]) == {
        "cellar: endpoint bank is disabled",
        "cellar: endpoint bank is no longer failing",
    }
    assert sorted(chat_anywhere.titles[4:]) == [
        "cellar: endpoint bank is enabled again",
        "cellar: no message to bank is given up any longer",
    ]
    assert "secret" not in "".join(chat_anywhere.texts)


@pytest.mark.parametrize(
    ("code", "found", "titles"),
    [
        (
            ConditionCode.FILE_DAMAGED,
            Found(3, {"files": ["a"], "quick": False}),
            ["cellar: the store is damaged (3 findings)", "cellar: the store is sound again"],
        ),
        (
            ConditionCode.RUN_FAILED,
            Found(1, {"cause": "CONFLICT", "task": "persist-files", "sentence": verbatim("why").as_json()}),
            [
                "cellar: last run of 1 archive failed (CONFLICT in persist-files)",
                "cellar: no archive's last run is failed any longer (CONFLICT in persist-files)",
            ],
        ),
    ],
)
def test_condition_of_an_archive_is_told_once_and_so_is_its_end(
    chat: Chat, code: ConditionCode, found: Found, titles: list[str]
) -> None:
    for hours in (0, 24, 48):
        with writing() as session:
            conditions.set_within(session, Subject.ARCHIVE, "one", {code: None if hours == 48 else found}, at(0))
        tell(at(hours))

    assert chat.titles == titles


def test_check_that_breaks_off_is_told_until_one_comes_to_its_end(chat: Chat) -> None:
    for hours in range(4):
        report_unverified(at(hours))
        tell(at(hours))
    report_verified(at(5))
    tell(at(5))

    assert chat.titles == [
        "cellar: the store could not be checked",
        "cellar: the store could not be checked",
        "cellar: the store can be checked again",
    ]
    assert "4 checks broke off" in chat.texts[1]


def test_receiver_that_turns_requests_away_is_told_with_the_number_of_requests(chat_anywhere: Chat) -> None:
    for minutes in (0, 1, 2):
        report_refusing({"UNAVAILABLE": 90, "UNAUTHORIZED": 10}, at(minutes / 60))
    tell(at(0.05))
    tell(at(2.1))

    assert chat_anywhere.titles == [
        "cellar: the receiver turns requests away",
        "cellar: the receiver takes requests again",
    ]
    assert "300 requests turned away" in chat_anywhere.texts[1]


def test_letter_that_is_not_taken_is_sent_again_and_shown_meanwhile(
    configure: Configure, chat: Chat, httpserver: HTTPServer
) -> None:
    statuses = iter((500, 500, 200))
    httpserver.expect_request("/slow").respond_with_handler(lambda _: Response(status=next(statuses)))
    configure(people_urls=f"{chat.url},{chat.url.replace('/chat', '/slow')}")
    fail("r-1", 0)

    sent = [tell(at(0))]
    warned = check("people")
    sent += [tell(at(minutes / 60)) for minutes in (0.5, 1.1, 2, 3.2, 10)]

    assert [[each.failure for each in round_ if each.failure] for round_ in sent] == [
        ["the service answered with status 500"], [], ["the service answered with status 500"], [], [], [],
    ]  # fmt: skip
    paths = [request.path for request, _ in httpserver.log]
    assert (paths.count("/chat"), paths.count("/slow")) == (1, 3)
    assert (warned.verdict, warned.found.partition(":")[0]) == ("warning", "json")
    assert "at 2026-01-01 12:00 UTC: the service answered with status 500" in warned.found
    assert check("people").verdict == "ok"


def test_newer_letter_replaces_one_that_was_not_taken(chat_anywhere: Chat, httpserver: HTTPServer) -> None:
    httpserver.clear()
    httpserver.expect_oneshot_request("/chat").respond_with_data("", status=500)
    fail("r-1", 0)
    tell(at(0))
    httpserver.expect_request("/chat").respond_with_data("")
    succeed("r-1", 0)
    tell(at(0.005))
    tell(at(5))
    tell(at(6))

    assert chat_anywhere.titles[-1] == "cellar: no archive is failed by NO_MEMBER any longer"
    assert chat_anywhere.titles.count("cellar: 1 archive has failed (NO_MEMBER)") <= 2
    assert all_of(select(LetterRow).where(col(LetterRow.next_at).is_not(None))) == []


def test_without_addresses_nothing_is_told_and_the_first_address_hears_what_is_wrong_then(
    configure: Configure, chat: Chat
) -> None:
    configure(people_urls="")
    fail("r-1", 0)
    assert tell(at(0)) == []

    configure(people_urls=chat.url)
    tell(at(10))

    assert chat.titles == ["cellar: 1 archive has failed (NO_MEMBER)"]


def test_two_processes_that_look_at_once_tell_once(chat: Chat) -> None:
    fail("r-1", 0)
    before = notices.open_notices()
    tell(at(0))
    (notice,) = notices.open_notices()

    assert before == []
    assert not notices.keep(None, notice, [])
    assert chat.titles == ["cellar: 1 archive has failed (NO_MEMBER)"]


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
    fail("r-1", 0)
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

    assert chat_anywhere.titles == ["cellar: 1 archive has failed (NO_MEMBER)"] * 2
    (letter,) = notices.newest_letters().values()
    assert (letter.attempts, letter.failure, letter.next_at) == (2, None, None)


def test_report_never_fails_its_caller(configure: Configure) -> None:
    configure(database_url="postgresql://nobody@127.0.0.1:1/cellar")

    report_unverified(at(0))
    report_verified(at(0))

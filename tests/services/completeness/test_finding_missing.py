"""Findings about missing processes, on both databases: opened, moved, closed, and told once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlmodel import select

from adapters.database.transactions import reading, writing
from adapters.inbox.inbox import Intake
from adapters.tables.completeness import missing_processes
from adapters.tables.runs import receipts
from models.access import CELLAR
from models.archive.archive import State
from models.completeness.processes import Closing, SessionEventRow
from models.messages.notification import EventRow, NotificationRow
from models.runs.receipt import Identity
from services.completeness.finding_missing import announce_missing, find_missing
from services.views.timeline import timeline_of
from tests.conftest import Configure
from tests.messages import SECRET
from tests.records import NOON, registered
from tests.reported_events import CREATED, DELETED, EXPIRED, SUBMITTED, archived_at, event, findings, reported

pytestmark = pytest.mark.usefixtures("installation")
BACK = "dismissal_withdrawn"
STATE = ("why", "deadline_at", "closed_why")


def at(hours: float) -> datetime:
    return NOON + timedelta(hours=hours)


def test_submitted_process_is_found_after_an_hour() -> None:
    reported(event(CREATED, at(0)), event(SUBMITTED, at(0.1)))
    assert find_missing(at(1)).opened == 0
    assert find_missing(at(1.2)).opened == 1
    assert find_missing(at(1.3)).opened == 0
    names = ("reference", "process_number", "transaction_number", "session_id", "since", *STATE)
    assert findings(*names) == [("r", 100, 30, "a", at(0.1), "submitted", at(48.1), None)]


def test_archive_closes_a_finding_in_the_next_search() -> None:
    reported(event(SUBMITTED, at(0)))
    find_missing(at(2))
    archived_at(at(3))
    find_missing(at(3.1))
    assert findings("closed_why", "closed_at") == [("archived", at(3.1))]


@pytest.mark.parametrize("state", [State.RECEIVED, State.PROCESSING, State.FAILED])
def test_acknowledged_archive_closes_a_finding_in_whatever_state_it_is(state: State) -> None:
    reported(event(SUBMITTED, NOON))
    find_missing(at(2))
    receipts.set_state(registered("r", minute=180), state, at(3))
    find_missing(at(3.1))
    assert findings("closed_why") == [("archived",)]


def test_archive_that_waits_in_the_inbox_has_arrived(configure: Configure) -> None:
    """Its row may come later, when the database was away at its arrival."""
    reported(event(SUBMITTED, NOON))
    intake = Intake()
    intake.digest(b"{}")
    intake.write([b"{}"])
    intake.accept(Identity("r", 100), at(0.1), {})
    assert find_missing(at(2)).opened == 0
    assert findings("reference") == []


def test_archive_from_the_future_answers_no_later_submission() -> None:
    archived_at(at(3), stated_at=at(24 * 365 * 70))
    reported(event(SUBMITTED, at(5)))
    assert find_missing(at(7)).opened == 1


def test_later_event_moves_the_deadline_and_its_alerts() -> None:
    reported(event(SUBMITTED, at(0)))
    find_missing(at(30))
    announce_missing(at(30))
    assert findings("alerted_h", *STATE) == [(24, "submitted", at(48), None)]
    reported(event(EXPIRED, at(31), session="b"))
    find_missing(at(31.1))
    assert findings("alerted_h", *STATE) == [(None, "expired", at(31 + 168), None)]


def test_session_that_is_opened_later_shows_that_the_process_goes_on() -> None:
    reported(event(SUBMITTED, at(0)))
    find_missing(at(2))
    reported(event(CREATED, at(3), session="b"))
    assert find_missing(at(3.1)).closed[Closing.CONTINUED] == 1
    reported(event(SUBMITTED, at(20), session="b"))
    find_missing(at(22))
    assert findings("since", "closed_why") == [(at(0), "continued"), (at(20), None)]


def test_finding_whose_deadline_has_passed_stays_in_the_history_as_lost() -> None:
    reported(event(SUBMITTED, at(0)))
    find_missing(at(2))
    assert find_missing(at(48)).closed[Closing.DELETED] == 1
    reported(event(DELETED, at(48.1)))
    assert find_missing(at(49)).opened == 0
    assert findings("closed_why", "closed_at") == [("deleted", at(48))]


def test_submission_that_is_reported_after_its_process_was_lost_is_found_while_its_archive_can_be_fetched() -> None:
    reported(event(SUBMITTED, at(0)))
    find_missing(at(2))
    find_missing(at(48.1))
    reported(event(SUBMITTED, at(47), session="b", received_at=at(49)))
    assert find_missing(at(50)).opened == 1
    assert findings("since", "deadline_at", "closed_why") == [
        (at(0), at(48), "deleted"),
        (at(47), at(95), None),
    ]


def test_submission_that_was_deleted_too_when_its_process_was_lost_opens_no_other_finding() -> None:
    reported(event(SUBMITTED, at(0)))
    find_missing(at(100))
    reported(event(SUBMITTED, at(1), session="b", received_at=at(101)))
    find_missing(at(102))
    assert findings("closed_why") == [("deleted",)]


def test_process_whose_deadline_has_passed_before_its_first_event_is_lost_without_an_alert(
    configure: Configure,
) -> None:
    configure(notify_urls="https://erp.example/hook", notify_secret=SECRET)
    reported(event(SUBMITTED, at(0)))
    find_missing(at(100))
    told = announce_missing(at(100))
    assert (told.opened, told.alerts) == ([], [])
    assert findings("closed_why", "closed_at") == [("deleted", at(100))]


def test_dismissed_finding_stays_dismissed_until_a_later_submission() -> None:
    reported(event(SUBMITTED, at(0)))
    find_missing(at(2))
    [(missing_id,)] = findings("missing_id")
    assert missing_processes.dismiss(missing_id, "dana", "a test", at(3))
    assert not missing_processes.dismiss(missing_id, "noa", "again", at(4))
    reported(event(DELETED, at(50)))
    find_missing(at(51))
    assert findings("closed_why", "closed_by", "closed_reason") == [("dismissed", "dana", "a test")]
    reported(event(SUBMITTED, at(52), session="b"))
    find_missing(at(54))
    assert findings("closed_why") == [("dismissed",), (None,)]


def test_withdrawn_dismissal_is_missing_again_until_its_archive_arrives() -> None:
    """A search between the two has answered the submission, and an event comes afterwards."""
    reported(event(SUBMITTED, at(0)))
    find_missing(at(2))
    [(missing_id,)] = findings("missing_id")
    assert missing_processes.dismiss(missing_id, "dana", "a test", at(3))
    reported(event(DELETED, at(4)))
    find_missing(at(5))

    assert missing_processes.withdraw("noa", at(3), at(6)) == 0
    assert missing_processes.withdraw("dana", at(3), at(6)) == 1
    reported(event(EXPIRED, at(7)))
    find_missing(at(8))
    assert findings("closed_why", "closed_by", "closed_reason", "withdrawn_at") == [(None, "dana", "a test", at(6))]
    archived_at(at(9))
    find_missing(at(10))
    assert findings("closed_why") == [("archived",)]
    told = [(each.what, each.by) for each in timeline_of("r", CELLAR) if each.code in ("process_not_missing", BACK)]
    assert [by for _, by in told] == ["dana", None]


def test_sources_are_told_apart() -> None:
    """Two projects may use the same reference; the archive of one says nothing about the other."""
    reported(event(SUBMITTED, at(0)), event(SUBMITTED, at(0), source="leasing"))
    archived_at(at(0.1))
    find_missing(at(2))
    assert findings("source") == [("leasing",)]


def test_process_without_a_reference_is_found_by_its_numbers() -> None:
    archived_at(at(0.1), "x", transaction_number=30)
    reported(event(SUBMITTED, at(0), None), event(SUBMITTED, at(0), None, "b", transaction_number=31))
    reported(event(SUBMITTED, at(0), None, "c", process_number=None))
    find_missing(at(2))
    assert findings("reference", "process_number", "transaction_number") == [(None, 100, 31)]
    archived_at(at(3), "y", "b", transaction_number=31)
    find_missing(at(4))
    assert findings("closed_why") == [("archived",)]
    with reading() as session:
        waiting = select(SessionEventRow.event_id).where(SessionEventRow.decide_at <= at(5))  # type: ignore[operator]
        assert session.exec(waiting).all() == []


def test_two_processes_of_a_run_with_the_same_reference_are_told_apart() -> None:
    reported(event(SUBMITTED, at(0)), event(SUBMITTED, at(0), session="b", process_number=101))
    archived_at(at(0.1), process_number=100)
    find_missing(at(2))
    assert findings("process_number") == [(101,)]


def test_finding_without_a_process_number_stands_for_one_of_the_processes_with_its_reference() -> None:
    reported(event(SUBMITTED, at(0), process_number=None))
    find_missing(at(2))
    reported(event(SUBMITTED, at(2.1), session="b"), event(SUBMITTED, at(2.1), session="c", process_number=101))
    find_missing(at(4))
    assert sorted(findings("process_number", "closed_why")) == [(100, None), (101, None)]


def messages() -> list[str]:
    with reading() as session:
        assert len(session.exec(select(EventRow)).all()) == len(session.exec(select(NotificationRow)).all())
        return [each.body for each in session.exec(select(EventRow).order_by(EventRow.at))]  # type: ignore[arg-type]


def test_finding_is_announced_once_and_alerted_three_times(configure: Configure) -> None:
    configure(notify_urls="https://erp.example/hook", notify_secret=SECRET)
    reported(event(SUBMITTED, at(0)))
    heard = []
    for minute in range(0, 50 * 60, 30):
        find_missing(NOON + timedelta(minutes=minute))
        told = announce_missing(NOON + timedelta(minutes=minute))
        heard += [("opened", minute / 60) for _ in told.opened] + [(str(h), minute / 60) for _, h in told.alerts]
    assert heard == [("opened", 1), ("24", 24), ("12", 36), ("2", 46)]
    assert ['"hours_left":47' in each for each in messages()] == [True, False, False, False]


def test_search_that_was_killed_after_an_event_repeats_no_message(configure: Configure) -> None:
    """The event is planned, and the finding does not say so: as a killed process leaves it."""
    configure(notify_urls="https://erp.example/hook", notify_secret=SECRET)
    reported(event(SUBMITTED, at(0)))
    find_missing(at(30))
    announce_missing(at(30))
    with writing() as session:
        [(missing_id,)] = findings("missing_id")
        missing_processes.change_within(session, missing_id, {"announced_at": None, "alerted_h": None})
    told = announce_missing(at(31))
    assert (len(told.opened), len(told.alerts)) == (1, 1)
    assert len(messages()) == 2


def test_searches_at_once_find_everything_once() -> None:
    reported(*(event(SUBMITTED, at(0), f"r{number}") for number in range(40)))
    with ThreadPoolExecutor(4) as pool:
        opened = sum(found.opened for found in pool.map(lambda _: find_missing(at(2)), range(4)))
    assert opened == 40
    assert len(list(findings("missing_id"))) == 40

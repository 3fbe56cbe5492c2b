"""Recorded notifications: each is planned once, and every attempt is kept."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy.exc import NoResultFound
from sqlmodel import col, select, update

from adapters.database.transactions import reading, writing
from adapters.tables.messages import notifications
from models.messages.notification import Event, EventType, NotificationAttemptRow, NotificationRow, NotificationState
from models.views.parameters import Dismissal
from services.messages.events import event_row
from tests.conftest import LONGEST_S
from tests.installations import archive_of
from tests.records import NOON, all_of, attempted, registered

PENDING, DELIVERED, DEAD = NotificationState.PENDING, NotificationState.DELIVERED, NotificationState.DEAD


def planned(*message_ids: str, receipt_id: str = "a", minute: int = 0) -> None:
    messages = [
        NotificationRow(
            message_id=each,
            reference="r",
            receipt_id=receipt_id,
            endpoint=f"https://erp.example/{each}",
            event="archive.completed",
            state=PENDING,
            planned_at=NOON + timedelta(minutes=minute),
        )
        for each in message_ids
    ]
    notifications.plan(event_row(Event(EventType.ARCHIVE_COMPLETED, receipt_id, NOON, b"{}", "r")), messages)


def test_planned_message_is_pending_and_undelivered() -> None:
    planned("msg_2", "msg_1")

    assert notifications.undelivered("a") == ["msg_1", "msg_2"]
    assert [each.state for each in notifications.of_receipt("a")] == ["pending", "pending"]
    assert notifications.get("msg_1").endpoint == "https://erp.example/msg_1"


def test_planning_again_changes_nothing() -> None:
    planned("msg_1")
    attempted("msg_1", 200)

    planned("msg_1", "msg_2", minute=5)

    assert notifications.get("msg_1").state == DELIVERED
    assert notifications.get("msg_1").planned_at == NOON
    assert notifications.undelivered("a") == ["msg_2"]


def test_messages_are_listed_by_receipt() -> None:
    planned("msg_1")
    planned("msg_2", receipt_id="b")

    assert notifications.undelivered("b") == ["msg_2"]
    assert [each.message_id for each in notifications.of_receipt("b")] == ["msg_2"]
    assert notifications.undelivered("c") == []


def test_every_attempt_is_kept_and_the_last_sets_the_state() -> None:
    registered()
    planned("msg_1")

    attempted("msg_1", None, error="no answer")
    attempted("msg_1", 503)
    attempted("msg_1", 204)

    attempts = all_of(select(NotificationAttemptRow).order_by("attempt"))
    assert [(each.attempt, each.status_code, each.error) for each in attempts] == [
        (1, None, "no answer"),
        (2, 503, None),
        (3, 204, None),
    ]
    archive = archive_of("r")
    assert [(each.state, each.attempts) for each in archive.notifications] == [("delivered", 3)]


def test_dead_message_counts_as_undelivered_so_that_a_rerun_retries() -> None:
    planned("msg_1")
    attempted("msg_1", 410)

    assert notifications.undelivered("a") == ["msg_1"]


def test_unknown_message_has_no_attempts() -> None:
    with pytest.raises(NoResultFound):
        attempted("unknown", 200)

    assert all_of(select(NotificationAttemptRow)) == []


def test_delivered_message_stays_delivered_after_a_slower_attempt() -> None:
    planned("msg_1")
    attempted("msg_1", 204)

    attempted("msg_1", None, error="no answer")
    attempted("msg_1", 410)

    assert notifications.get("msg_1").state == DELIVERED
    assert notifications.undelivered("a") == []
    assert numbers("msg_1") == [1, 2, 3]


@pytest.mark.usefixtures("installation")
def test_concurrent_attempts_have_distinct_numbers() -> None:
    planned("msg_1")
    at_once, rounds = 8, 10
    start = Barrier(at_once)

    def attempt_each_round(_: int) -> None:
        for _ in range(rounds):
            start.wait(LONGEST_S)
            attempted("msg_1", 503)

    with ThreadPoolExecutor(at_once) as threads:
        list(threads.map(attempt_each_round, range(at_once)))

    assert numbers("msg_1") == list(range(1, at_once * rounds + 1))


def numbers(message_id: str) -> list[int]:
    with reading() as session:
        attempts = select(NotificationAttemptRow.attempt).where(NotificationAttemptRow.message_id == message_id)
        return list(session.exec(attempts.order_by("attempt")))


def test_message_that_was_given_up_is_dismissed_and_that_is_withdrawn() -> None:
    planned("msg_1", "msg_2")
    with writing() as session:
        its = update(NotificationRow).where(col(NotificationRow.message_id) == "msg_1")
        session.execute(its.values(state=DEAD, skipped_why="too late", values={"skipped_why": {}}))
    said = Dismissal(by="Dana", why="known there")

    assert [each.message_id for each in notifications.dismiss(["msg_1", "msg_2"], said, NOON)] == ["msg_1"]
    dismissed = notifications.get("msg_1")
    assert (dismissed.state, dismissed.skipped_why) == ("skipped", "Dana has dismissed it: known there")

    assert notifications.withdraw("Noa", NOON, NOON) == []
    assert len(notifications.withdraw("Dana", NOON, NOON + timedelta(minutes=1))) == 1
    again = notifications.get("msg_1")
    assert (again.state, again.skipped_why) == ("dead", "too late")
    assert again.values
    assert again.values["withdrawn"]["by"] == "Dana"

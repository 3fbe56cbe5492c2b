"""Messages in the database: each is planned once, and tried over a weekend and a month, at times of the test."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier

import pytest
from sqlmodel import col, delete, select, update

from adapters.database.transactions import writing
from adapters.tables.messages import attempts, notifications, queues
from adapters.tables.messages.attempts import Made
from domain.messages.attempts import MOST_ATTEMPTS, TRIED_FOR
from domain.words.catalogue import word
from models.messages.notification import (
    AttemptTrigger,
    EndpointRow,
    Event,
    EventType,
    NotificationAttemptRow,
    NotificationRow,
    NotificationState,
    Stage,
)
from models.said import Said, Sentence
from models.views.parameters import Dismissal
from services.messages.events import event_row, message_to
from tests.conftest import LONGEST_S
from tests.messages import endpoint_of
from tests.records import NOON, all_of, attempted, change, put

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
DELIVERED, PENDING, DEAD = NotificationState.DELIVERED, NotificationState.PENDING, NotificationState.DEAD


def added(name: str = "erp") -> None:
    put(EndpointRow(name=name, url=f"https://{name}.example/hook", created_at=NOON))


def announced(number: int, at: datetime, endpoint: str = "erp") -> str:
    """Plan the message about an event to an endpoint, and return its id."""
    event = Event(EventType.STORE_DAMAGED, f"event-{number:05}", at, b"{}")
    message = message_to(endpoint_of(endpoint), event)
    notifications.plan(event_row(event), [message])
    return message.message_id


def answered(taken: queues.Taken, at: datetime, status_code: int | None, **made: object) -> NotificationState:
    stage = None if status_code == 200 else Stage.STATUS if status_code else Stage.ANSWER
    attempt = Made(at, at, status_code, stage=stage, jitter=0.5, **made)  # type: ignore[arg-type]
    return attempts.record_all([(taken, attempt)])[0]


def delivered(at: datetime, status_code: int | None, limit: int = 16, **made: object) -> list[str]:
    """Let the endpoint answer all messages that are due with a status. Return their ids."""
    sent: list[str] = []
    while taken := queues.take_due("erp", at, limit):
        for each in taken:
            answered(each, at, status_code, **made)
            sent.append(each.message.message_id)
    return sent


def states() -> Counter[str]:
    return Counter(all_of(select(NotificationRow.state)))


def attempts_made() -> Sequence[NotificationAttemptRow]:
    return all_of(select(NotificationAttemptRow).order_by("attempt"))


def test_message_is_planned_once_and_undelivered_until_it_is_confirmed_whatever_comes_after() -> None:
    added()
    message_id = announced(0, NOON)
    assert notifications.undelivered("event-00000") == [message_id]
    attempted(message_id, 204)
    other = announced(1, NOON)
    attempted(other, 410)
    for status_code in (None, 410):
        attempted(message_id, status_code)
    assert announced(0, NOON) == message_id

    assert [each.state for each in notifications.of_receipt("event-00000")] == [DELIVERED]
    assert notifications.undelivered("event-00000") == []
    assert notifications.undelivered("event-00001") == [other]  # so that a rerun tries the dead one again


@pytest.mark.usefixtures("installation")
def test_concurrent_attempts_have_distinct_numbers() -> None:
    added()
    message_id, at_once, rounds = announced(0, NOON), 8, 10
    start = Barrier(at_once)

    def attempt_each_round(_: int) -> None:
        for _ in range(rounds):
            start.wait(LONGEST_S)
            attempted(message_id, 503)

    with ThreadPoolExecutor(at_once) as threads:
        list(threads.map(attempt_each_round, range(at_once)))

    assert [each.attempt for each in attempts_made()] == list(range(1, at_once * rounds + 1))


def test_message_that_was_given_up_is_dismissed_and_that_is_withdrawn() -> None:
    added()
    ids = [announced(number, NOON) for number in range(2)]
    dead = {"state": DEAD, "skipped_why": "too late", "values": {"skipped_why": {}}}
    change(update(NotificationRow).where(col(NotificationRow.message_id) == ids[0]).values(dead))

    dismissed = notifications.dismiss(ids, Dismissal(by="Dana", why="known there"), NOON)
    assert [(each.message_id, each.state) for each in dismissed] == [(ids[0], "skipped")]
    assert notifications.get(ids[0]).skipped_why == "Dana has dismissed it: known there"

    assert notifications.withdraw("Noa", NOON, NOON) == []
    [again] = notifications.withdraw("Dana", NOON, NOON + MINUTE)
    assert (again.state, again.skipped_why) == ("dead", "too late")
    assert again.values
    assert again.values["withdrawn"]["by"] == "Dana"


def test_outage_of_a_weekend_loses_nothing_and_ends_at_once_in_order() -> None:
    added()
    friday = NOON
    planned = [announced(0, friday)]
    now = friday
    while now < friday + 60 * HOUR:
        delivered(now, 503, error=Sentence.endpoint_answered(status=503))
        now += 15 * MINUTE
        if now.minute == 0 and now.hour % 2:
            planned.append(announced(len(planned), now))
    assert states() == {PENDING: len(planned)}
    assert len(attempts_made()) < 150

    sent: list[str] = []
    while not sent:  # the next probe
        sent = delivered(now, 200)
        now += 15 * MINUTE

    assert now < friday + 66 * HOUR
    assert states() == {DELIVERED: len(planned)}
    probe, *rest = sent
    assert rest == [each for each in planned if each != probe]
    endpoint = endpoint_of("erp")
    assert (endpoint.failing_since, endpoint.paused_until, endpoint.failing_messages) == (None, None, 0)


def test_dead_endpoint_is_probed_by_one_message_at_a_time() -> None:
    added()
    for number in range(20):
        announced(number, NOON)
    (taken,) = queues.take_due("erp", NOON, 1)
    hung = Made(NOON, NOON + timedelta(seconds=15), None, stage=Stage.ANSWER)
    assert attempts.record_all([(taken, hung)]) == [PENDING]

    assert queues.take_due("erp", NOON + timedelta(seconds=29), 16) == []
    assert queues.endpoints_with_due(NOON + timedelta(seconds=29)) == []
    assert queues.endpoints_with_due(NOON + MINUTE) == ["erp"]
    assert len(queues.take_due("erp", NOON + MINUTE, 16)) == 1
    assert queues.take_due("erp", NOON + MINUTE, 16) == []
    waiting = notifications.get(announced(7, NOON))
    probe = queues.take(waiting.message_id, NOON + MINUTE, AttemptTrigger.AUTOMATIC, unless_paused=True)
    assert isinstance(probe, Said)
    assert isinstance(
        queues.take(waiting.message_id, NOON + MINUTE, AttemptTrigger.MANUAL, unless_paused=False), queues.Taken
    )


def test_endpoint_that_is_dead_for_a_month_is_disabled_and_keeps_less_than_a_megabyte() -> None:
    added()
    now, number = NOON, 0
    while now < NOON + timedelta(days=30):
        announced(number, now)
        number += 1
        is_young = now < NOON + 80 * HOUR
        for hour in range(6):
            if is_young:
                at = now + hour * HOUR
                delivered(at, 500, answer=f"at {at}: " + "x" * 4000)
        delivered(now, 500)
        now += 6 * HOUR

    endpoint = endpoint_of("erp")
    assert endpoint.disabled_at is not None
    assert endpoint.disabled_at - NOON < TRIED_FOR + 2 * HOUR
    assert "has confirmed nothing since 2026-01-01 12:00 UTC" in (endpoint.disabled_why or "")
    assert states() == {NotificationState.SKIPPED: number}
    kept = sum(len(each.model_dump_json()) for each in attempts_made())
    assert kept < 1_000_000
    assert len(attempts_made()) < 200


def test_message_that_one_endpoint_never_takes_delays_no_other_message_and_dies() -> None:
    added()
    poison = announced(0, NOON)
    now, good = NOON, 1
    while now < NOON + TRIED_FOR + HOUR:
        if now.minute == 30 and now.hour % 3 == 0:
            announced(good, now)
            good += 1
        while taken := queues.take_due("erp", now, 1):
            (each,) = taken
            answered(each, now, 400 if each.message.message_id == poison else 200)
        now += 10 * MINUTE
    queues.give_up_expired(now)

    assert states() == {NotificationState.DEAD: 1, DELIVERED: good - 1}
    dead = notifications.get(poison)
    assert (dead.message_id, dead.skipped_why) == (poison, word(queues.EXPIRED))
    assert dead.attempts <= MOST_ATTEMPTS
    assert endpoint_of("erp").disabled_at is None
    late = [each.delivered_at - each.planned_at for each in all_of(select(NotificationRow)) if each.delivered_at]
    assert max(late) <= 30 * MINUTE  # the queue is looked at every ten minutes, and the other message is older


def test_retry_after_pauses_the_endpoint() -> None:
    added()
    announced(0, NOON)
    announced(1, NOON)
    (taken,) = queues.take_due("erp", NOON, 1)
    answered(taken, NOON, 503, retry_after=2 * HOUR)

    assert queues.take_due("erp", NOON + 119 * MINUTE, 16) == []
    assert len(queues.take_due("erp", NOON + 2 * HOUR, 16)) == 1


def test_equal_answer_is_kept_once_and_a_new_one_again() -> None:
    added()
    message_id = announced(0, NOON)
    for minute, answer in enumerate(["busy", "busy", None, "busy", "down"]):
        at = NOON + minute * MINUTE
        taken = queues.take(message_id, at, AttemptTrigger.AUTOMATIC, unless_paused=False)
        assert isinstance(taken, queues.Taken)
        answered(taken, at, 500, answer=answer)

    assert [(each.answer, each.url) for each in attempts_made()] == [
        (answer, "https://erp.example/hook") for answer in ("busy", None, None, None, "down")
    ]
    assert all(each.next_attempt_at for each in attempts_made())


@pytest.mark.usefixtures("installation")
def test_taken_message_is_of_one_process_until_its_claim_ends_and_then_of_the_next_alone() -> None:
    added()
    message_id = announced(0, NOON)
    (slow,) = queues.take_due("erp", NOON, 16)
    assert queues.take_due("erp", NOON, 16) == []
    assert queues.take(message_id, NOON, AttemptTrigger.AUTOMATIC, unless_paused=True) == queues.UNDER_WAY

    later = NOON + 3 * MINUTE
    (second,) = queues.take_due("erp", later, 16)
    assert queues.taken_still(slow, later) is None
    queues.release([slow])
    assert queues.take_due("erp", later, 1) == []
    assert queues.taken_still(second, later)


@pytest.mark.parametrize("column", ["disabled_at", "removed_at"])
def test_message_that_was_taken_is_skipped_once_its_endpoint_has_left(column: str) -> None:
    added()
    announced(0, NOON)
    (taken,) = queues.take_due("erp", NOON, 1)
    with writing() as session:
        setattr(session.get_one(EndpointRow, "erp"), column, NOON)

    assert queues.taken_still(taken, NOON + MINUTE) is None
    assert states() == {NotificationState.SKIPPED: 1}


@pytest.mark.usefixtures("installation")
def test_attempts_recorded_together_have_the_effect_of_each_and_a_gone_endpoint_is_disabled() -> None:
    added("crm")
    added("erp")
    ids = [announced(number, NOON, name) for name in ("erp", "crm") for number in range(3)]
    taken = {each.message.message_id: each for name in ("erp", "crm") for each in queues.take_due(name, NOON, 16)}
    codes = [200, 503, 410, 200, 429, 200]
    together = [
        (taken[each], Made(NOON, NOON + MINUTE, code, jitter=0.5)) for each, code in zip(ids, codes, strict=True)
    ]

    assert attempts.record_all(together) == [
        *(DELIVERED, PENDING, NotificationState.DEAD),
        *(DELIVERED, PENDING, DELIVERED),
    ]

    stored = [notifications.get(each) for each in ids]
    assert [each.state for each in stored] == ["delivered", "skipped", "dead", "delivered", "pending", "delivered"]
    assert {each.attempts for each in stored} == {1}
    assert {each.message_id: each.status_code for each in attempts_made()} == dict(zip(ids, codes, strict=True))
    assert endpoint_of("erp").disabled_why == "the endpoint answered 410 Gone"
    assert endpoint_of("erp").actions[-1]["what"] == "disabled: the endpoint answered 410 Gone"
    assert queues.endpoints_with_due(NOON + HOUR) == ["crm"]
    assert notifications.get(announced(4, NOON + HOUR)).state == "skipped"
    assert (endpoint_of("crm").failing_messages, endpoint_of("crm").failing_since) == (1, NOON)


@pytest.mark.usefixtures("installation")
def test_erasure_during_an_attempt_loses_no_other_attempt_and_the_answer_to_it_is_not_kept() -> None:
    added()
    announced(0, NOON)
    event = Event(EventType.ARCHIVE_ERASED, "digest", NOON, b"{}")
    notifications.plan(event_row(event), [message_to(endpoint_of("erp"), event)])
    taken = queues.take_due("erp", NOON, 16)
    change(delete(NotificationRow).where(col(NotificationRow.event) == EventType.STORE_DAMAGED))

    states = attempts.record_all([(each, Made(NOON, NOON, 200, answer="process-1 is removed")) for each in taken])

    assert sorted(states) == [DELIVERED, NotificationState.SKIPPED]
    assert [(each.status_code, each.answer) for each in attempts_made()] == [(200, None)]


@pytest.mark.usefixtures("installation")
def test_two_attempts_at_a_message_that_are_recorded_together_have_numbers_of_their_own() -> None:
    added()
    message_id = announced(0, NOON)
    taken = queues.take(message_id, NOON, AttemptTrigger.AUTOMATIC, unless_paused=False)
    assert isinstance(taken, queues.Taken)

    states = attempts.record_all([(taken, Made(NOON, NOON, code, answer="busy")) for code in (500, 200, 500)])

    assert states == [PENDING, DELIVERED, DELIVERED]
    made = [(each.attempt, each.status_code, each.answer) for each in attempts_made()]
    assert made == [(1, 500, "busy"), (2, 200, None), (3, 500, None)]


def test_messages_to_an_endpoint_that_is_not_there_are_skipped() -> None:
    event = Event(EventType.STORE_DAMAGED, "event-1", NOON, b"{}")
    former = EndpointRow(name="settings-12345678", url="https://old.example", created_at=NOON)
    notifications.plan(event_row(event), [message_to(former, event)])
    assert queues.endpoints_with_due(NOON) == ["settings-12345678"]

    assert queues.take_due("settings-12345678", NOON, 16) == []

    assert states() == {NotificationState.SKIPPED: 1}
    assert queues.endpoints_with_due(NOON + HOUR) == []


@pytest.mark.parametrize("status_code", [200, 410])
def test_attempt_is_recorded_while_another_attempt_waits_for_the_endpoint(status_code: int) -> None:
    """Two transactions about one endpoint do not wait for each other in a circle. SQLite has one writer at a time."""
    added()
    first, other = announced(1, NOON), announced(2, NOON)
    with writing() as session:
        endpoint = session.get_one(EndpointRow, "erp")
        endpoint.failing_since, endpoint.failing_messages = NOON, 2
        session.get_one(NotificationRow, other).next_attempt_at = NOON.replace(year=2030)
    (taken,) = queues.take_due("erp", NOON, 1)
    assert taken.message.message_id == first

    with ThreadPoolExecutor() as threads, writing() as session:
        session.get_one(NotificationRow, other, with_for_update=True)
        recorded = threads.submit(answered, taken, NOON, status_code)
        try:
            recorded.result(timeout=LONGEST_S)  # else Postgres ends one of the two, and its attempt is not recorded
        finally:
            session.rollback()

    assert notifications.get(first).state in (DELIVERED, NotificationState.DEAD)

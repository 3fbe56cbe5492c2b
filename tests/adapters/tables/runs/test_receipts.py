"""Receipts are registered once, in any order and any number of times, and stay completed."""

import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest

from adapters.tables.runs import receipts, runs
from models.archive.archive import State
from models.runs.receipt import Delivery, Outcome, RunState
from models.views.archives.archives import ArchiveView
from tests.installations import archive_of
from tests.records import NOON, delivery, digest, registered, run_row

LATER = NOON + timedelta(hours=1)


def archive(reference: str = "r") -> ArchiveView:
    return archive_of(reference)


def at_once(*calls: Callable[[], object]) -> None:
    start, failed = threading.Barrier(len(calls)), list[BaseException]()

    def run(call: Callable[[], object]) -> None:
        start.wait()
        try:
            call()
        except BaseException as error:  # noqa: BLE001 -- reported to the test's own thread
            failed.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_first_delivery_of_a_process_is_new_however_often_it_is_registered() -> None:
    first = receipts.register_all([delivery()])[0]

    assert (first.outcome, first.state, first.flow_run_id) == (Outcome.NEW, "received", None)
    before = archive()
    assert (before.state, before.received_at, before.completed_at) == ("received", NOON, None)
    assert receipts.register_all([delivery()])[0] == first
    assert archive() == before


def test_same_body_is_a_duplicate_and_a_different_body_is_a_change() -> None:
    outcomes = [
        receipts.register_all([each])[0].outcome
        for each in (delivery(), delivery(minute=1), delivery(body="another", minute=2), delivery("other process", "b"))
    ]

    assert outcomes == ["new", "duplicate", "changed", "new"]
    assert [each.outcome for each in archive().deliveries] == ["new", "duplicate", "changed"]
    assert [each.received_at.minute for each in archive().deliveries] == [0, 1, 2]


def test_process_has_the_state_of_its_newest_receipt_whenever_an_older_one_arrives() -> None:
    first = registered()
    receipts.set_state(first, State.COMPLETED, LATER)
    assert (archive().state, archive().completed_at) == ("completed", LATER)

    second = registered(body="another", minute=5)
    assert (archive().state, archive().completed_at) == ("received", None)
    receipts.set_state(second, State.FAILED, LATER)
    receipts.set_state(registered(body="older", minute=1), State.PROCESSING, LATER)

    assert (archive().state, receipts.newest_receipt_id("r")) == ("failed", second)


@pytest.mark.parametrize("state", [State.RECEIVED, State.PROCESSING, State.FAILED])
def test_completed_receipt_stays_completed(state: State) -> None:
    receipt_id = registered()
    receipts.set_state(receipt_id, State.COMPLETED, NOON)

    receipts.set_state(receipt_id, state, LATER)
    receipts.set_state(receipt_id, State.COMPLETED, LATER)

    assert (receipts.get(receipt_id).state, receipts.get(receipt_id).completed_at) == ("completed", NOON)
    assert receipts.register_all([delivery(minute=9)])[0].state is State.COMPLETED


@pytest.mark.usefixtures("installation")
def test_completed_receipt_stays_completed_despite_concurrent_writers() -> None:
    for number in range(15):
        receipt_id = registered(body=str(number))
        states = (State.COMPLETED, State.FAILED, State.PROCESSING)
        at_once(*(partial(receipts.set_state, receipt_id, state, NOON) for state in states))
        assert receipts.get(receipt_id).state == "completed"


def test_only_a_failed_receipt_is_awaited_again() -> None:
    receipt_id = registered()
    for before, after in (
        (State.RECEIVED, State.RECEIVED),
        (State.PROCESSING, State.PROCESSING),
        (State.FAILED, State.RECEIVED),
        (State.COMPLETED, State.COMPLETED),
    ):
        receipts.set_state(receipt_id, before, NOON)
        receipts.set_awaited(receipt_id)
        assert receipts.get(receipt_id).state == after


def test_delivery_keeps_the_id_of_the_run_that_it_triggered() -> None:
    receipts.register_all([delivery()])
    receipts.register_all([delivery(minute=1)])

    assert receipts.set_triggered([delivery(minute=1).delivery_id], "run-1") is State.RECEIVED

    assert receipts.register_all([delivery(minute=1)])[0].flow_run_id == "run-1"
    assert receipts.register_all([delivery()])[0].flow_run_id is None


def test_deliveries_that_are_registered_together_follow_their_arrival() -> None:
    later, first = delivery(minute=1), delivery()

    outcomes = [each.outcome for each in receipts.register_all([later, first])]

    assert outcomes == [Outcome.DUPLICATE, Outcome.NEW]
    assert [receipts.register_all([each])[0].outcome for each in (later, first)] == outcomes
    assert receipts.get(digest("body")).received_at == first.received_at


@pytest.mark.usefixtures("installation")
@pytest.mark.parametrize(
    ("deliveries", "others"),
    [
        ([delivery(number=number) for number in range(8)], "duplicate"),
        ([delivery(body=str(number)) for number in range(8)], "changed"),
    ],
    ids=["one body", "many bodies"],
)
def test_exactly_one_of_many_concurrent_deliveries_is_new(deliveries: list[Delivery], others: str) -> None:
    outcomes: list[Outcome] = []

    def register(each: Delivery) -> None:
        outcomes.append(receipts.register_all([each])[0].outcome)

    at_once(*(partial(register, each) for each in deliveries))

    assert sorted(outcomes) == [*[others] * 7, "new"]


def test_earliest_delivery_sets_the_time_of_receipt_until_a_run_begins_and_that_of_the_archive_always() -> None:
    """The first delivery may wait for the sweep. A run has decided by the time which version is current."""
    receipt_id = registered(minute=5)
    registered(minute=3)
    assert (receipts.get(receipt_id).received_at, archive().received_at) == (NOON + timedelta(minutes=3),) * 2

    runs.begin(run_row("run-1", receipt_id))
    runs.end("run-1", 1, RunState.CRASHED, State.RECEIVED, NOON)
    registered(minute=1)

    assert receipts.get(receipt_id).received_at == NOON + timedelta(minutes=3)
    assert archive().received_at == NOON + timedelta(minutes=1)

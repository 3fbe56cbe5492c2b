"""What a bulk re-run starts next, what became of its archives, and the words of plans."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.batches import (
    AT_ONCE,
    AT_ONCE_BESIDE_NEW,
    RUNNABLE,
    WORDS,
    duration_text,
    end_of,
    explained,
    room,
    seconds_for,
    skipped,
)
from domain.words.catalogue import word
from models.archive.archive import State
from models.runs.batch import BatchKind, ItemState, Skipped
from models.runs.receipt import RunState
from models.said import Sentence
from models.views.batch import CauseCount, EndpointShare, RedeliveryPlan, RerunPlan, TemplateCount

RERUN, REDELIVER = WORDS[BatchKind.RERUN], WORDS[BatchKind.REDELIVER]
PLAN = RerunPlan(
    archives=2000,
    on_their_way=1,
    complete=500,
    states={"completed": 500, "failed": 1500, "processing": 1},
    causes=[CauseCount(code="STORE_AWAY", task="persist-files", archives=1500)],
    templates=[TemplateCount(template_id="lease", archives=1999), TemplateCount(template_id=None, archives=1)],
    archives_of_other_templates=0,
    undelivered=13,
    endpoints=2,
    seconds=300.0,
    measured_runs=40,
    at_once=4,
)


@pytest.mark.parametrize(
    ("run", "receipt", "became"),
    [
        (RunState.RUNNING, State.PROCESSING, None),
        (RunState.AWAITING_RETRY, State.PROCESSING, None),
        (RunState.COMPLETED, State.COMPLETED, ItemState.COMPLETED),
        (RunState.FAILED, State.FAILED, ItemState.FAILED),
        (RunState.FAILED, State.COMPLETED, ItemState.FAILED),
        (RunState.CANCELLED, State.FAILED, ItemState.FAILED),
        (RunState.CRASHED, State.RECEIVED, None),
        (RunState.CRASHED, State.FAILED, ItemState.FAILED),
    ],
)
def test_end_of_a_run_decides_what_became_of_its_archive(
    run: RunState, receipt: State, became: ItemState | None
) -> None:
    assert end_of(run, receipt) is became


@given(st.integers(0, 50), st.integers(0, 50))
def test_runs_on_their_way_never_exceed_the_limit_and_new_archives_lower_it(in_flight: int, new: int) -> None:
    free = room(in_flight, new)

    assert free >= 0
    assert free == 0 or in_flight + free == (AT_ONCE_BESIDE_NEW if new else AT_ONCE)


def test_bulk_re_run_goes_on_beside_any_number_of_new_archives() -> None:
    assert room(0, 10_000) >= 1


@pytest.mark.parametrize("was", RUNNABLE)
def test_archive_that_still_needs_a_run_is_not_skipped(was: State) -> None:
    assert skipped(was, was) is None
    assert skipped(was, State.FAILED) is None


def test_archive_that_needs_no_run_any_longer_is_skipped_with_the_reason() -> None:
    assert skipped(State.FAILED, State.COMPLETED) is Skipped.COMPLETED_SINCE
    assert skipped(State.FAILED, State.RECEIVED) is Skipped.ON_ITS_WAY
    assert skipped(State.COMPLETED, State.PROCESSING) is Skipped.ON_ITS_WAY
    assert skipped(State.FAILED, None) is Skipped.GONE


def test_time_follows_from_the_median_of_recent_runs() -> None:
    assert seconds_for(AT_ONCE * 10, [1.0, 2.0, 60.0]) == 20.0
    assert seconds_for(10, []) is None


def worded(**changed: Any) -> str:
    return " ".join(map(word, RERUN.sentences(PLAN.model_copy(update=changed))))


def test_plan_of_a_bulk_re_run_says_what_is_done_again_and_what_stays() -> None:
    text = worded()

    assert "would be run again, with files, data, payments and notifications: 2,000." in text
    assert "Complete archives among these, which stay complete if their run fails: 500." in text
    assert "Messages that no endpoint has confirmed, and that would be delivered: 13." in text
    assert "Archives that would notify endpoints (2) once complete: 1,500." in text
    assert "Delivered messages are not repeated." in text
    assert "Archives that are left out, since their run is on its way already: 1." in text


def test_plan_of_a_bulk_re_run_says_how_long_it_takes_or_that_this_is_unknown() -> None:
    assert "about 5 min, by the runs of the last 24 h (40)" in worded()
    assert "an unknown time" in worded(seconds=None, measured_runs=0)


def test_plan_of_a_bulk_re_run_without_archives_says_only_that() -> None:
    assert worded(archives=0, on_their_way=0) == "No archive would be run again."


def test_rows_count_states_causes_and_templates() -> None:
    assert RERUN.rows(PLAN) == [
        ("state", "failed", 1500),
        ("state", "completed", 500),
        ("state", "processing", 1),
        ("cause", "STORE_AWAY in persist-files", 1500),
        ("template", "lease", 1999),
        ("template", "(unknown)", 1),
    ]


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "1 s"), (89, "89 s"), (600, "10 min"), (9000, "2.5 h")])
def test_duration_is_worded_as_people_say_it(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def share(name: str, messages: int, *, failing: bool = False) -> EndpointShare:
    return EndpointShare(endpoint=name, messages=messages, failing=failing)


def plan(*shares: EndpointShare, **members: Any) -> RedeliveryPlan:
    nothing: dict[str, Any] = {"states": {}, "events": {}, "left_out": {}, "filtered": 0}
    found = {"messages": sum(each.messages for each in shares), "endpoints": list(shares)}
    return RedeliveryPlan.model_validate(nothing | found | members)


def test_plan_of_a_redelivery_says_what_is_sent_what_stays_and_how_long_it_takes() -> None:
    shares = (share("erp", 1200), share("crm", 3, failing=True))
    states = {"dead": 1202, "delivered": 1}

    found = plan(*shares, states=states, left_out={"old": 5}, filtered=2)
    told = list(explained(BatchKind.REDELIVER, found))

    assert told == [
        "Messages that would be sent again, each under its own id, and tried for 75 hours: 1,203.",
        "Messages that were confirmed before, and would arrive once more: 1.",
        "Messages that are left out, since the endpoint old is disabled or removed: 5.",
        "Messages that are left out, since the filters of their endpoints leave them out: 2.",
        "The endpoint crm fails now: one message is tried at once, until one is confirmed.",
        "It takes as long as the endpoints need, four messages at a time. New messages go first.",
    ]


def test_plan_of_a_redelivery_without_messages_says_so_alone() -> None:
    assert list(REDELIVER.sentences(plan())) == [Sentence.no_message_again()]


def test_rows_of_a_redelivery_count_messages_by_endpoint_state_and_event() -> None:
    found = plan(share("erp", 2), states={"dead": 2}, events={"archive.completed": 1, "store.damaged": 1})

    assert REDELIVER.rows(found) == [
        ("endpoint", "erp", 2),
        ("state", "dead", 2),
        ("event", "archive.completed", 1),
        ("event", "store.damaged", 1),
    ]


def test_most_frequent_comes_first_whatever_order_the_database_keeps() -> None:
    """Postgres keeps the members of a plan by the length of their names."""
    rows = REDELIVER.rows(plan(states={"dead": 2, "pending": 5}, events={"archive.failed": 1, "archive.completed": 6}))
    assert [value for _, value, _ in rows] == ["pending", "dead", "archive.completed", "archive.failed"]

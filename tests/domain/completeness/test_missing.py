"""Decides what is missing: archives that are due by the events of their sessions."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.completeness.missing import (
    ArchivedSession,
    Arrival,
    Decision,
    Standing,
    alert_due,
    decide,
    hours_left,
    left_text,
    missing_text,
)
from models.completeness.processes import SessionEventRow, SessionEventType, Why
from models.sources import SourceTerms
from tests.records import NOON

CREATED, LOADED = SessionEventType.CREATED, SessionEventType.FORM_LOADED
SUBMITTED, DELETED, EXPIRED = SessionEventType.FORM_SUBMITTED, SessionEventType.DELETED, SessionEventType.EXPIRED
TERMS = SourceTerms("UTC", "minor")
ARRIVED, GOES_ON, DUE, MISSING = Standing.ARRIVED, Standing.GOES_ON, Standing.DUE, Standing.MISSING


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def event(
    kind: str, minute: float, session: str | None = "a", number: int | None = 100, **changed: Any
) -> SessionEventRow:
    columns = {"transaction_number": None, "event_at": at(minute), "received_at": at(minute)} | changed
    return SessionEventRow(
        event_id=f"{kind} {minute} {session} {number}",
        source="default",
        type=kind,
        is_known=kind in set(SessionEventType),
        reference="r",
        process_number=number,
        session_id=session,
        **columns,
    )


def archive(minute: float, *sessions: str, number: int | None = 100, is_read: bool = True) -> Arrival:
    """Return an archive that Cellosign made at a minute, with these sessions; without any, of an older version."""
    listed = tuple(ArchivedSession(each, number, None) for each in sessions) or None
    return Arrival(at(minute), at(minute + 1), is_read, listed)


def decided(
    events: Sequence[SessionEventRow],
    arrivals: Sequence[Arrival] = (),
    *,
    minute: float = 100_000,
    answered: float | None = None,
) -> Decision:
    return decide(events, arrivals, None if answered is None else at(answered), TERMS, at(minute))


IN_2099 = datetime(2099, 1, 1, tzinfo=UTC)
FIRST = [event(CREATED, 0), event(SUBMITTED, 10)]
SECOND = [event(CREATED, 11, "b"), event(LOADED, 3000, "b")]
TWO = [event(SUBMITTED, 0, "a"), event(SUBMITTED, 500, "b")]
RESENT = Arrival(at(900), at(1), sessions=(ArchivedSession("a", 100, None),))
OF_ANOTHER = archive(5, "b", number=101)
CASES: dict[str, tuple[Standing, list[SessionEventRow], list[Arrival]]] = {
    "a session that says it opens in 2099 hides nothing": (
        MISSING,
        [event(CREATED, 0, "b", event_at=IN_2099), event(SUBMITTED, 10)],
        [archive(3)],
    ),
    "the first session of a workflow": (MISSING, FIRST, []),
    "the first session of a workflow waits for the next": (GOES_ON, FIRST + SECOND, []),
    "a page that is loaded again after its submission": (MISSING, [event(SUBMITTED, 10), event(LOADED, 11)], []),
    "an archive of all submissions": (ARRIVED, TWO, [archive(1), archive(501, "a", "b")]),
    "an archive that is sent again later has no later session": (MISSING, TWO, [RESENT]),
    "the webhook of a submission left last": (ARRIVED, [event(SUBMITTED, 3, "a")], [archive(1, "a")]),
    "an archive of another process with this reference": (MISSING, [event(SUBMITTED, 0)], [OF_ANOTHER]),
    "archives of both": (ARRIVED, [event(SUBMITTED, 0)], [OF_ANOTHER, archive(6, "a", number=100)]),
    "what is answered is not asked again": (GOES_ON, [event(SUBMITTED, 0, is_answered=True), event(LOADED, 3)], []),
    "a submission without a session ends those before": (MISSING, [event(CREATED, 0), event(SUBMITTED, 5, None)], []),
    "and none after": (GOES_ON, [event(SUBMITTED, 5, None), event(CREATED, 6, "b")], []),
}


@pytest.mark.parametrize(("standing", "events", "arrivals"), CASES.values(), ids=CASES)
def test_standing_follows_from_events_and_arrivals(
    standing: Standing, events: list[SessionEventRow], arrivals: list[Arrival]
) -> None:
    assert decided(events, arrivals).standing is standing


@pytest.mark.parametrize(
    ("events", "why", "since", "deadline"),
    [
        ([event(CREATED, 0), event(LOADED, 1), event(SUBMITTED, 2)], Why.SUBMITTED, 2, 2 + 48 * 60),
        ([event(CREATED, 0), event(EXPIRED, 5)], Why.EXPIRED, 5, 5 + 168 * 60),
        ([event(CREATED, 0), event(DELETED, 5)], Why.DELETED, 5, 5 + 168 * 60),
        ([*FIRST, *SECOND, event(SUBMITTED, 5000, "b")], Why.SUBMITTED, 5000, 5000 + 48 * 60),
        ([event(SUBMITTED, 0), event(DELETED, 100)], Why.DELETED, 100, 100 + 168 * 60),
        ([event(SUBMITTED, 0), event(DELETED, 2881)], Why.SUBMITTED, 0, 2880),  # the purge at the deadline
        ([event(SUBMITTED, 0, event_at=at(180))], Why.SUBMITTED, 0, 2880),  # stated in another zone
    ],
)
def test_last_event_says_since_when_and_until_when_its_process_is_missing(
    events: list[SessionEventRow], why: Why, since: float, deadline: float
) -> None:
    found = decided(events)
    assert (found.standing, found.missing and found.missing.since) == (MISSING, at(since))
    assert found.missing
    assert (found.missing.why, found.missing.deadline_at) == (why, at(deadline))


def test_submission_is_due_for_an_hour_and_an_end_is_missing_at_once() -> None:
    early = decided([event(CREATED, 0), event(SUBMITTED, 2)], minute=61)
    assert (early.standing, early.look_at) == (DUE, at(62))
    assert decided([event(CREATED, 0), event(SUBMITTED, 2)], minute=62).standing is MISSING
    assert decided([event(CREATED, 0), event(EXPIRED, 5)], minute=5).standing is MISSING


@pytest.mark.parametrize(
    ("events", "arrival", "standing", "answered", "look_at"),
    [
        ([event(SUBMITTED, 2)], archive(3), ARRIVED, 1, None),
        ([event(SUBMITTED, 2)], archive(3, is_read=False), ARRIVED, 0, at(570)),
        ([event(SUBMITTED, 0), event(EXPIRED, 2880)], archive(1, "a"), ARRIVED, 1, None),  # Cellosign's own cleaning
        ([event(SUBMITTED, 0), event(DELETED, 2880)], archive(1, "a"), ARRIVED, 1, None),
        ([event("WHEF_SOMETHING_NEW", 0)], None, GOES_ON, 1, None),
        (TWO, archive(1, "a"), MISSING, 1, None),
    ],
)
def test_archive_answers_events_for_good_once_it_is_read(
    events: list[SessionEventRow], arrival: Arrival | None, standing: Standing, answered: int, look_at: datetime | None
) -> None:
    found = decided(events, [arrival] if arrival else [], minute=560)
    assert (found.standing, len(found.answered), found.look_at) == (standing, answered, look_at)


def test_dismissed_process_is_missing_again_only_after_a_later_submission() -> None:
    events = [event(SUBMITTED, 0), event(DELETED, 3000)]
    assert decided(events, answered=200).standing is ARRIVED
    assert decided([*events, event(SUBMITTED, 400, "b")], answered=200).standing is MISSING


@pytest.mark.parametrize(
    ("left_h", "alerted_h", "due"),
    [
        (25, None, None), (24, None, 24), (13, 24, None), (12, 24, 12), (2, 12, 2), (1, 2, None),
        (1, None, 2), (11, None, 12), (0, None, None), (-1, 12, None), (24, 12, None),
    ],
)  # fmt: skip
def test_alert_is_due_24_12_and_2_hours_before_the_deadline_and_only_the_nearest(
    left_h: int, alerted_h: int | None, due: int | None
) -> None:
    assert alert_due(NOON + timedelta(hours=left_h), alerted_h, NOON) == due


KINDS = st.sampled_from([*SessionEventType, "WHEF_SOMETHING_NEW"])
EVENTS = st.lists(
    st.builds(event, KINDS, st.integers(0, 6000), st.sampled_from(["a", "b", None]), st.sampled_from([100, None])),
    max_size=9,
)
ARRIVALS = st.lists(
    st.builds(lambda minute, is_read: archive(minute, "a", "b", is_read=is_read), st.integers(0, 6000), st.booleans()),
    max_size=2,
)
MINUTES = st.integers(0, 20_000)


@given(EVENTS, ARRIVALS, MINUTES, st.randoms(use_true_random=False))
def test_order_and_repetition_of_events_and_archives_do_not_matter(
    events: list[SessionEventRow], arrivals: list[Arrival], minute: int, random: Random
) -> None:
    mixed, others = [*events, *events[:3]], list(arrivals)
    random.shuffle(mixed)
    random.shuffle(others)
    assert decided(mixed, others, minute=minute) == decided(events, arrivals, minute=minute)


@given(EVENTS, MINUTES)
def test_archive_with_all_sessions_answers_whatever_came_before(events: list[SessionEventRow], minute: int) -> None:
    found = decided(events, [archive(6001, "a", "b")], minute=minute)
    assert found.standing is ARRIVED
    assert found.answered == {each.event_id for each in events if each.type not in (DELETED, EXPIRED)}


@given(EVENTS, ARRIVALS, MINUTES)
def test_nothing_is_missing_without_a_submission_or_an_end(
    events: list[SessionEventRow], arrivals: list[Arrival], minute: int
) -> None:
    harmless = [each for each in events if each.type not in (SUBMITTED, DELETED, EXPIRED)]
    assert decided(harmless, arrivals, minute=minute).missing is None


@given(EVENTS, ARRIVALS, MINUTES, st.randoms(use_true_random=False))
def test_events_that_are_decided_one_by_one_end_as_events_that_are_decided_together(
    events: list[SessionEventRow], arrivals: list[Arrival], minute: int, random: Random
) -> None:
    together, known = decided(events, arrivals, minute=minute), []
    random.shuffle(events)
    for each in events:
        known.append(each)
        found = decided(known, arrivals, minute=minute)
        for one in known:
            one.is_answered = one.is_answered or one.event_id in found.answered
    last = decided(known, arrivals, minute=minute)
    assert last == replace(together, answered=frozenset())


@pytest.mark.parametrize(
    ("left", "text", "hours"),
    [
        (timedelta(days=6, hours=23), "6 days left", 167),
        (timedelta(hours=48), "2 days left", 48),
        (timedelta(hours=17, minutes=59), "17 hours left", 17),
        (timedelta(hours=1), "1 hour left", 1),
        (timedelta(minutes=59, seconds=59), "59 minutes left", 0),
        (timedelta(seconds=59), "0 minutes left", 0),
        (timedelta(), "deadline passed", 0),
        (timedelta(days=-1), "deadline passed", 0),
    ],
)
def test_time_left_is_rounded_down_and_in_words(left: timedelta, text: str, hours: int) -> None:
    assert left_text(NOON + left, NOON) == text
    assert hours_left(NOON + left, NOON) == hours


def test_missing_process_is_told_in_a_line() -> None:
    told = missing_text("submitted", NOON, NOON + timedelta(hours=48), NOON + timedelta(hours=31))
    assert told == "submitted, and not archived, since 2026-01-01 12:00 UTC; 17 hours left"

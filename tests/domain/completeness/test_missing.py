"""Decides what is missing: archives that are due by the events of their sessions."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

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

CREATED, LOADED, LOGGED_IN = SessionEventType.CREATED, SessionEventType.FORM_LOADED, SessionEventType.LOGGED_IN
SUBMITTED, DELETED, EXPIRED = SessionEventType.FORM_SUBMITTED, SessionEventType.DELETED, SessionEventType.EXPIRED
TERMS = SourceTerms("UTC", "minor")
ARRIVED, GOES_ON, DUE, MISSING = Standing.ARRIVED, Standing.GOES_ON, Standing.DUE, Standing.MISSING


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def event(kind: str, minute: float, session: str | None = "a", number: int | None = 100) -> SessionEventRow:
    return SessionEventRow(
        event_id=f"{kind} {minute} {session} {number}",
        source="default",
        type=kind,
        is_known=kind in set(SessionEventType),
        reference="r",
        process_number=number,
        transaction_number=None,
        session_id=session,
        event_at=at(minute),
        received_at=at(minute),
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


def test_session_that_says_it_opens_in_2099_hides_no_missing_process() -> None:
    opened = event(CREATED, 0, "b")
    opened.event_at = datetime(2099, 1, 1, tzinfo=UTC)

    found = decided([opened, event(SUBMITTED, 10)], [archive(3)])

    assert found.standing is MISSING


def test_submitted_process_is_missing_after_an_hour_and_is_deleted_after_two_days() -> None:
    events = [event(CREATED, 0), event(LOADED, 1), event(SUBMITTED, 2)]
    early, late = decided(events, minute=61), decided(events, minute=62)
    assert (early.standing, early.look_at) == (DUE, at(62))
    assert late.standing is MISSING
    assert late.missing
    assert (late.missing.why, late.missing.since, late.missing.deadline_at) == (Why.SUBMITTED, at(2), at(2 + 48 * 60))


@pytest.mark.parametrize(("kind", "why"), [(EXPIRED, Why.EXPIRED), (DELETED, Why.DELETED)])
def test_process_that_ended_without_an_archive_is_missing_at_once_and_is_deleted_after_a_week(
    kind: str, why: Why
) -> None:
    found = decided([event(CREATED, 0), event(kind, 5)], minute=5)
    assert found.standing is MISSING
    assert found.missing
    assert (found.missing.why, found.missing.since, found.missing.deadline_at) == (why, at(5), at(5 + 168 * 60))


@pytest.mark.parametrize("state", ["read", "not read"])
def test_archive_that_arrived_in_any_state_answers(state: str) -> None:
    is_read = state == "read"
    found = decided([event(SUBMITTED, 2)], [archive(3, is_read=is_read)], minute=500)
    assert found.standing is ARRIVED
    assert (len(found.answered), found.look_at) == ((1, None) if is_read else (0, at(510)))


def test_first_session_of_a_workflow_waits_for_the_sessions_after_it() -> None:
    """The archive comes at the end of the process, days after the first submission."""
    first = [event(CREATED, 0), event(SUBMITTED, 10)]
    second = [event(CREATED, 11, "b"), event(LOADED, 3000, "b")]
    assert decided(first).standing is MISSING
    assert decided(first + second).standing is GOES_ON
    ended = decided([*first, *second, event(SUBMITTED, 5000, "b")])
    assert ended.standing is MISSING
    assert ended.missing
    assert ended.missing.since == at(5000)


def test_page_that_is_loaded_again_after_its_submission_opens_no_session() -> None:
    assert decided([event(SUBMITTED, 10), event(LOADED, 11)]).standing is MISSING


def test_submission_after_the_archive_is_missing_until_the_next_archive() -> None:
    events = [event(SUBMITTED, 0, "a"), event(SUBMITTED, 500, "b")]
    once = decided(events, [archive(1, "a")])
    assert once.standing is MISSING
    assert once.missing
    assert (once.missing.since, list(once.answered)) == (at(500), ["WHEF_CLIENT_FORM_SUBMITTED 0 a 100"])
    assert decided(events, [archive(1), archive(501, "a", "b")]).standing is ARRIVED


def test_archive_that_is_sent_again_with_a_later_time_does_not_hold_a_later_session() -> None:
    resent = Arrival(at(900), at(1), sessions=(ArchivedSession("a", 100, None),))
    assert decided([event(SUBMITTED, 0, "a"), event(SUBMITTED, 500, "b")], [resent]).standing is MISSING


def test_submission_whose_webhook_left_after_that_of_its_archive_is_archived() -> None:
    assert decided([event(SUBMITTED, 3, "a")], [archive(1, "a")]).standing is ARRIVED


@pytest.mark.parametrize("kind", [EXPIRED, DELETED])
def test_end_after_the_archive_is_cellosigns_own_cleaning(kind: str) -> None:
    found = decided([event(SUBMITTED, 0), event(kind, 2880)], [archive(1, "a")])
    assert (found.standing, len(found.answered)) == (ARRIVED, 1)


def test_deletion_at_the_deadline_is_the_purge_and_moves_no_deadline() -> None:
    submitted = event(SUBMITTED, 0)
    purged, deleted = decided([submitted, event(DELETED, 2881)]), decided([submitted, event(DELETED, 100)])
    assert purged.missing
    assert deleted.missing
    assert purged.missing.deadline_at == at(2880)
    assert deleted.missing.deadline_at == at(100 + 168 * 60)


def test_archive_of_another_process_with_the_same_reference_does_not_answer() -> None:
    mine, other = event(SUBMITTED, 0, "a", 100), archive(5, "b", number=101)
    assert decided([mine], [other]).standing is MISSING
    assert decided([mine], [other, archive(6, "a", number=100)]).standing is ARRIVED


def test_settled_event_is_not_asked_about_again() -> None:
    answered = event(SUBMITTED, 0)
    answered.is_answered = True
    assert decided([answered, event(LOADED, 3)]).standing is GOES_ON


def test_dismissed_process_is_missing_again_only_after_a_later_submission() -> None:
    events = [event(SUBMITTED, 0), event(DELETED, 3000)]
    assert decided(events, answered=200).standing is ARRIVED
    again = decided([*events, event(SUBMITTED, 400, "b")], answered=200)
    assert again.standing is MISSING


def test_submission_without_a_session_ends_the_sessions_before_it() -> None:
    assert decided([event(CREATED, 0, "a"), event(SUBMITTED, 5, None)]).standing is MISSING
    assert decided([event(SUBMITTED, 5, None), event(CREATED, 6, "b")]).standing is GOES_ON


def test_zone_that_makes_events_too_late_moves_no_deadline_beyond_the_arrival() -> None:
    ahead = event(SUBMITTED, 0)
    ahead.event_at = at(180)
    found = decided([ahead], minute=61)
    assert found.missing
    assert (found.standing, found.missing.deadline_at) == (MISSING, at(2880))


def test_event_of_an_unknown_type_says_nothing() -> None:
    found = decided([event("WHEF_SOMETHING_NEW", 0)])
    assert (found.standing, len(found.answered)) == (GOES_ON, 1)


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
    assert (last.standing, last.missing, last.look_at) == (together.standing, together.missing, together.look_at)


@given(EVENTS, ARRIVALS, MINUTES)
def test_decision_stays_when_its_settled_events_are_marked(
    events: list[SessionEventRow], arrivals: list[Arrival], minute: int
) -> None:
    first = decided(events, arrivals, minute=minute)
    for each in events:
        each.is_answered = each.event_id in first.answered
    again = decided(events, arrivals, minute=minute)
    assert (again.standing, again.missing, again.answered) == (first.standing, first.missing, frozenset())


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

"""A list and the archives are compared by number, time and count."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.completeness.listed import LEAST_LEFT, ListTerms, compare, span_of
from models.completeness.listed import (
    ArchivedProcess,
    Comparison,
    DifferenceKind,
    Heard,
    ListedProcess,
    ListedTime,
    Standing,
)
from tests.lists import LIST_TERMS, NOW, TERMS, archive, at, local, row

K = DifferenceKind
HOUR = timedelta(hours=1)
JERUSALEM = replace(LIST_TERMS, timezone="Asia/Jerusalem")


def compared(
    listed: Sequence[ListedProcess],
    archived: Sequence[ArchivedProcess] = (),
    heard: dict[int, Heard] | None = None,
    terms: ListTerms = LIST_TERMS,
) -> Comparison:
    return compare(listed, archived, heard or {}, terms)


def kinds(found: Comparison) -> list[DifferenceKind]:
    return [each.kind for each in found.differences]


def test_missing_process_has_the_time_at_which_cellosign_deletes_it() -> None:
    (succeeded, failed) = compared([row(2), row(3, 101, standing=Standing.FAILED)]).differences
    assert (succeeded.kind, succeeded.since, succeeded.deadline_at) == (K.MISSING, NOW - 24 * HOUR, NOW + 24 * HOUR)
    assert failed.deadline_at == NOW + 144 * HOUR


def test_deadline_counts_from_the_end_or_the_submission_where_it_is_known() -> None:
    heard = {101: Heard(submitted_at=NOW - 3 * HOUR)}
    ended, submitted = compared([row(2, ended=at(5)), row(3, 101)], (), heard).differences
    assert [ended.deadline_at, submitted.deadline_at] == [NOW + 43 * HOUR, NOW + 45 * HOUR]


def test_process_that_is_still_listed_after_its_deadline_has_time_left() -> None:
    (found,) = compared([row(2, created=at(500))]).differences
    assert found.deadline_at == NOW + LEAST_LEFT


def test_open_process_is_not_missing() -> None:
    found = compared([row(2, standing=Standing.OPEN)])
    assert (found.differences, found.not_due) == ([], 1)


def test_process_without_a_status_is_open_if_its_session_events_say_so() -> None:
    listed = [row(number, number, standing=Standing.UNKNOWN) for number in range(4)]
    heard = {0: Heard(), 1: Heard(submitted_at=NOW - 5 * HOUR), 2: Heard(has_ended=True)}
    assert [each.process_number for each in compared(listed, (), heard).differences] == [1, 2, 3]


def test_process_that_has_only_just_ended_is_not_due() -> None:
    found = compared([row(2, created=at(0.9)), row(3, 101, ended=at(0.9)), row(4, 102, created=at(1))])
    assert ([each.rows for each in found.differences], found.not_due) == ([(4,)], 2)


def test_archive_within_the_span_that_the_list_lacks_is_unknown_there() -> None:
    inside, outside = NOW - 20 * HOUR, NOW - 2 * HOUR
    archived = [
        archive(),
        archive("s", 101),
        archive("t", 102, created_at=inside),
        archive("u", 103, created_at=outside),
    ]
    found = compared(
        [row(2), row(3, 101, created=at(10))],
        [archived[0], replace(archived[1], created_at=NOW - 10 * HOUR), *archived[2:]],
    )
    assert [(each.kind, each.reference) for each in found.differences] == [(K.UNKNOWN_THERE, "t")]


def test_archive_that_cellosign_may_have_deleted_is_not_unknown_there() -> None:
    old = archive("old", 5, created_at=NOW - 60 * HOUR, received_at=NOW - 48 * HOUR)
    found = compared(
        [row(2, created=at(70)), row(3, 101)], [archive("a", 100, created_at=NOW - 70 * HOUR), archive("b", 101), old]
    )
    assert found.differences == []


def test_count_agrees_with_the_archives_or_with_their_sessions() -> None:
    two_sessions = [archive("a", transaction=1), archive("a", transaction=2)]
    assert kinds(compared([row(2)], two_sessions)) == []
    assert kinds(compared([row(2), row(3)], two_sessions)) == []
    assert kinds(compared([row(2), row(3), row(4)], two_sessions)) == [K.DIFFERENT_COUNT]


def test_open_rows_of_a_number_need_no_archive() -> None:
    rows = [row(2), row(3, standing=Standing.OPEN)]
    assert kinds(compared(rows, [archive()])) == []
    assert kinds(compared(rows, [archive(), archive("s")])) == []


def test_processes_of_one_number_are_told_apart_by_transaction() -> None:
    rows = [row(2, transaction=1), row(3, transaction=2), row(4, transaction=3), row(5, transaction=3)]
    archived = [archive("a", transaction=1), archive("c", transaction=3), archive("d", transaction=4)]
    found = compared(rows, archived)
    assert [(each.kind, each.transaction_number, each.rows) for each in found.differences] == [
        (K.MISSING, 2, (3,)),
        (K.DIFFERENT_COUNT, 3, (4, 5)),
        (K.UNKNOWN_THERE, 4, ()),
    ]


def test_archive_that_is_not_loaded_yet_counts_for_any_transaction() -> None:
    waiting = archive(transaction=None, created_at=None)
    assert compared([row(2, transaction=9)], [waiting]).differences == []


def test_list_with_transaction_numbers_alone_is_compared_by_them() -> None:
    found = compared([row(2, None, 7), row(3, None, 8)], [archive("a", 100, 7)])
    assert [(each.kind, each.transaction_number) for each in found.differences] == [(K.MISSING, 8)]


def test_archive_of_another_source_is_no_archive_of_a_row() -> None:
    found = compared([row(2, source="loans")], [archive(source="cards")])
    assert kinds(found) == [K.MISSING]
    assert kinds(compared([row(2)], [archive(source="cards")])) == []


def test_time_beyond_the_tolerance_is_a_different_time() -> None:
    (found,) = compared([row(2, created=at(23))], [archive()]).differences
    assert (found.kind, found.ahead_s) == (K.DIFFERENT_TIME, 3600)
    assert (found.listed, found.archived) == ("2026-11-23 13:00:00 UTC", "2026-11-23 12:00:00 UTC")
    assert kinds(compared([row(2, created=at(24 + 5 / 60))], [archive()])) == []


def test_naive_time_counts_in_the_zone_of_the_list_and_a_stated_zone_as_it_is() -> None:
    naive = row(2, created=ListedTime(local(2026, 11, 23, 14)))
    assert kinds(compared([naive], [archive()], terms=JERUSALEM)) == []
    assert kinds(compared([naive], [archive()])) == [K.DIFFERENT_TIME]
    assert kinds(compared([row(2, created=at(24, zone=UTC))], [archive()], terms=JERUSALEM)) == []


@pytest.mark.parametrize("hour", [22, 23])
def test_hour_that_a_clock_shows_twice_fits_both_times(hour: int) -> None:
    """At 02:00 on 25 October 2026, clocks in Jerusalem go back to 01:00."""
    ours = archive(created_at=datetime(2026, 10, 24, hour, 30, tzinfo=UTC))
    listed = row(2, created=ListedTime(local(2026, 10, 25, 1, 30)))
    assert kinds(compared([listed], [ours], terms=JERUSALEM)) == []


def test_day_without_a_time_fits_every_time_of_the_day() -> None:
    day = row(2, created=ListedTime(local(2026, 11, 23), is_day=True))
    first, last = datetime(2026, 11, 22, 22, tzinfo=UTC), datetime(2026, 11, 23, 21, 59, tzinfo=UTC)
    for ours, expected in ((first, []), (last, []), (last + HOUR, [K.DIFFERENT_TIME])):
        assert kinds(compared([day], [archive(created_at=ours)], terms=JERUSALEM)) == expected


def test_list_of_another_zone_is_recognised() -> None:
    listed = [row(number, number, created=at(22)) for number in range(4)]
    found = compared(listed, [archive(str(number), number) for number in range(4)])
    assert found.zone_hint.startswith(
        "4 of 4 times are 2 h later in the list: its time zone is another; set `timezone`"
    )
    assert compared(listed[:2], [archive(str(number), number) for number in range(2)]).zone_hint == ""


def test_span_goes_from_the_first_process_to_the_last() -> None:
    assert span_of([row(2), row(3, created=at(50)), row(4, created=at(1))], LIST_TERMS) == (NOW - 50 * HOUR, NOW - HOUR)
    assert span_of([], LIST_TERMS) is None


@given(st.sets(st.integers(1, 60)), st.sets(st.integers(1, 60)), st.randoms(use_true_random=False))
def test_differences_are_those_of_the_sets_in_whatever_order(
    theirs: set[int], ours: set[int], chance: random.Random
) -> None:
    listed = [row(number, number) for number in sorted(theirs)]
    archived = [archive(f"r{number}", number) for number in sorted(ours)]
    expected = compared(listed, archived)
    chance.shuffle(listed)
    chance.shuffle(archived)

    found = compared(listed, archived)

    assert found == expected
    by_kind = {kind: {each.process_number for each in found.differences if each.kind is kind} for kind in K}
    assert by_kind[K.MISSING] == theirs - ours
    assert by_kind[K.UNKNOWN_THERE] == (ours - theirs if theirs else set())
    assert found.matched + len(by_kind[K.MISSING]) == len(theirs)


def test_terms_of_a_source_decide_its_deadlines() -> None:
    slow = replace(TERMS, purged_after_success=240 * HOUR)
    terms = replace(LIST_TERMS, of_source=lambda source: slow if source == "slow" else TERMS)
    quick, slowly = compared([row(2, source="quick"), row(3, source="slow")], terms=terms).differences
    assert (quick.deadline_at, slowly.deadline_at) == (NOW + 24 * HOUR, NOW + 216 * HOUR)

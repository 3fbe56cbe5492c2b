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
    """It counts from the end or the submission where that is known. What is listed beyond it has time left."""
    heard = {102: Heard(submitted_at=NOW - 3 * HOUR)}
    listed = [
        row(2),
        row(3, 101, ended=at(5)),
        row(4, 102),
        row(5, 103, standing=Standing.FAILED),
        row(6, 104, created=at(500)),
        row(7, 105, source="slow"),
    ]
    slow = replace(TERMS, purged_after_success=240 * HOUR)
    terms = replace(LIST_TERMS, of_source=lambda source: slow if source == "slow" else TERMS)
    found = compared(listed, (), heard, terms).differences
    assert {(each.kind, each.since == NOW - 24 * HOUR) for each in found[:1]} == {(K.MISSING, True)}
    left = [24 * HOUR, 43 * HOUR, 45 * HOUR, 144 * HOUR, LEAST_LEFT, 216 * HOUR]
    assert [each.deadline_at for each in found] == [NOW + each for each in left]


def test_process_that_is_open_or_has_only_just_ended_is_not_missing() -> None:
    listed = [row(number, number, standing=Standing.UNKNOWN) for number in range(4)]
    listed += [row(4, 4, standing=Standing.OPEN), row(5, 5, created=at(0.9)), row(6, 6, ended=at(0.9))]
    listed += [row(7, 7, created=at(1))]
    heard = {0: Heard(), 1: Heard(submitted_at=NOW - 5 * HOUR), 2: Heard(has_ended=True)}
    found = compared(listed, (), heard)
    assert ([each.process_number for each in found.differences], found.not_due) == ([1, 2, 3, 7], 4)


def test_archive_within_the_span_that_cellosign_still_has_and_the_list_lacks_is_unknown_there() -> None:
    archived = [
        archive(),
        archive("s", 101, created_at=NOW - 10 * HOUR),
        archive("t", 102, created_at=NOW - 20 * HOUR),
        archive("outside", 103, created_at=NOW - 2 * HOUR),
    ]
    found = compared([row(2), row(3, 101, created=at(10))], archived)
    assert [(each.kind, each.reference) for each in found.differences] == [(K.UNKNOWN_THERE, "t")]
    deleted = archive("old", 5, created_at=NOW - 60 * HOUR, received_at=NOW - 48 * HOUR)
    first = archive(created_at=NOW - 70 * HOUR)
    assert kinds(compared([row(2, created=at(70)), row(3, 101)], [first, archive("b", 101), deleted])) == []


TWO_SESSIONS = [archive("a", transaction=1), archive("a", transaction=2)]
ONE_OPEN = [row(2), row(3, standing=Standing.OPEN)]


@pytest.mark.parametrize(
    ("listed", "archived", "found"),
    [
        ([row(2)], TWO_SESSIONS, []),
        ([row(2), row(3)], TWO_SESSIONS, []),
        ([row(2), row(3), row(4)], TWO_SESSIONS, [K.DIFFERENT_COUNT]),
        (ONE_OPEN, [archive()], []),
        (ONE_OPEN, [archive(), archive("s")], []),
        ([row(2, transaction=9)], [archive(transaction=None, created_at=None)], []),  # not loaded yet: of any
        ([row(2, source="loans")], [archive(source="cards")], [K.MISSING]),
        ([row(2)], [archive(source="cards")], []),
        ([row(2, created=at(24 + 5 / 60))], [archive()], []),
        ([row(2, created=at(24, zone=UTC))], [archive()], []),
    ],
)
def test_rows_agree_with_archives_or_with_their_sessions(
    listed: list[ListedProcess], archived: list[ArchivedProcess], found: list[DifferenceKind]
) -> None:
    assert kinds(compared(listed, archived)) == found


def test_processes_of_one_number_are_told_apart_by_transaction() -> None:
    rows = [row(2, transaction=1), row(3, transaction=2), row(4, transaction=3), row(5, transaction=3)]
    archived = [archive("a", transaction=1), archive("c", transaction=3), archive("d", transaction=4)]
    found = compared(rows, archived)
    assert [(each.kind, each.transaction_number, each.rows) for each in found.differences] == [
        (K.MISSING, 2, (3,)),
        (K.DIFFERENT_COUNT, 3, (4, 5)),
        (K.UNKNOWN_THERE, 4, ()),
    ]


def test_list_with_transaction_numbers_alone_is_compared_by_them() -> None:
    found = compared([row(2, None, 7), row(3, None, 8)], [archive("a", 100, 7)])
    assert [(each.kind, each.transaction_number) for each in found.differences] == [(K.MISSING, 8)]


def test_time_beyond_the_tolerance_is_a_different_time() -> None:
    (found,) = compared([row(2, created=at(23))], [archive()]).differences
    assert (found.kind, found.ahead_s) == (K.DIFFERENT_TIME, 3600)
    assert (found.listed, found.archived) == ("2026-11-23 13:00:00 UTC", "2026-11-23 12:00:00 UTC")


TWICE, DAY = ListedTime(local(2026, 10, 25, 1, 30)), ListedTime(local(2026, 11, 23), is_day=True)


@pytest.mark.parametrize(
    ("listed", "ours", "fits"),
    [
        (ListedTime(local(2026, 11, 23, 14)), NOW - 24 * HOUR, True),
        (ListedTime(local(2026, 11, 23, 12)), NOW - 24 * HOUR, False),
        (at(24, zone=UTC), NOW - 24 * HOUR, True),  # a stated zone counts as it is
        *((TWICE, datetime(2026, 10, 24, hour, 30, tzinfo=UTC), True) for hour in (22, 23)),  # clocks go back
        (DAY, datetime(2026, 11, 22, 22, tzinfo=UTC), True),
        (DAY, datetime(2026, 11, 23, 21, 59, tzinfo=UTC), True),
        (DAY, datetime(2026, 11, 23, 22, 59, tzinfo=UTC), False),
    ],
)
def test_time_counts_in_the_zone_of_the_list(listed: ListedTime, ours: datetime, *, fits: bool) -> None:
    found = compared([row(2, created=listed)], [archive(created_at=ours)], terms=JERUSALEM)
    assert kinds(found) == ([] if fits else [K.DIFFERENT_TIME])


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

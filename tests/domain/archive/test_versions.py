"""Which of two receipts is newer: the answer is the same in any order of arrival."""

from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import pairwise, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.archive.versions import Age, newest_first, statement_of, supersedes
from domain.body.json_text import parse

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def age(event_h: float | None, received_h: float, receipt_id: str = "a") -> Age:
    made = None if event_h is None else NOON + timedelta(hours=event_h)
    return Age(made, NOON + timedelta(hours=received_h), receipt_id)


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        (age(2, 3), age(1, 4)),  # made later, received earlier
        (age(1, 3), age(1, 2)),  # made at the same time: received later
        (age(1, 2, "b"), age(1, 2, "a")),  # same times: the digest decides
        (age(None, 3), age(None, 2)),  # neither has an event time
        (age(None, 3), age(1, 2)),  # no event time: the time of receipt counts
        (age(3, 4), age(None, 2)),
    ],
)
def test_only_the_newer_receipt_supersedes(newer: Age, older: Age) -> None:
    assert supersedes(newer, older)
    assert not supersedes(older, newer)


def test_receipt_does_not_supersede_itself() -> None:
    assert not supersedes(age(1, 2), age(1, 2))


hours = st.integers(0, 5)  # few, so that they collide
ages = st.builds(age, st.none() | hours, hours, st.sampled_from("abc"))


@given(ages, ages)
def test_of_two_different_receipts_exactly_one_is_newer(one: Age, other: Age) -> None:
    same_key = not supersedes(one, other) and not supersedes(other, one)

    # A missing event time equals an event time at the time of receipt.
    assert same_key == (
        (one.event_at or one.received_at, *_rest(one)) == (other.event_at or other.received_at, *_rest(other))
    )
    assert not (supersedes(one, other) and supersedes(other, one))


def _rest(each: Age) -> tuple[datetime, str]:
    return each.received_at, each.receipt_id


@given(ages, ages, ages)
def test_superseding_is_transitive(one: Age, two: Age, three: Age) -> None:
    if supersedes(one, two) and supersedes(two, three):
        assert supersedes(one, three)


@given(st.lists(ages, min_size=1, max_size=5, unique_by=lambda each: each.receipt_id))
def test_current_receipt_does_not_depend_on_the_order_of_archiving(receipts: list[Age]) -> None:
    def current_of(order: tuple[Age, ...]) -> Age:
        return reduce(lambda current, candidate: candidate if supersedes(candidate, current) else current, order)

    assert len({current_of(order) for order in permutations(receipts)}) == 1


@given(st.lists(ages))
def test_newest_first_never_puts_a_superseding_receipt_later(some: list[Age]) -> None:
    ordered = newest_first(some)

    assert not any(supersedes(later, earlier) for earlier, later in pairwise(ordered))
    assert sorted(map(str, ordered)) == sorted(map(str, some))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.50", "1.5"),
        ("1e2", "100.0"),
        ("1e999999999", "10e999999998"),
        ("1e-999999999999999999", "0.1e-999999999999999998"),
    ],
)
def test_spelling_of_a_number_says_nothing_new(one: str, other: str) -> None:
    assert said_of(one) == said_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1e999999999", "1e999999998"),
        ("1e999999999999999999", "2e999999999999999999"),
        (f"1.{'0' * 30}1", f"1.{'0' * 30}2"),
        ("1e-999999999", "0.0"),
        ("2.5", '"2.5"'),
        ("2.5", '{"number": "2.5"}'),
        ("2.5", '["NaN", "2.5"]'),
        ("2.5", '[null, "2.5"]'),
    ],
)
def test_different_number_says_something_new_at_any_size(one: str, other: str) -> None:
    assert said_of(one) != said_of(other)


def said_of(number: str) -> str:
    return statement_of(parse(f'{{"data": [{{"left": {number}}}]}}'.encode()), [])

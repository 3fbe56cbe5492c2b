"""Which version is the newest: the answer is the same in any order of arrival."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.archive.versions import Age, age_of, newest_first, repeated, statement_of
from domain.body.json_text import parse

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def age(event_h: float | None, received_h: float, receipt_id: str = "a", *, is_set_aside: bool = False) -> Age:
    made = None if event_h is None else NOON + timedelta(hours=event_h)
    return age_of(made, NOON + timedelta(hours=received_h), receipt_id, is_set_aside=is_set_aside)


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        (age(2, 3), age(1, 4)),  # made later, received earlier
        (age(1, 3), age(1, 2)),  # made at the same time: received later
        (age(1, 2, "b"), age(1, 2, "a")),  # same times: the digest decides
        (age(None, 3), age(None, 2)),  # neither has an event time
        (age(None, 3), age(1, 2)),  # no event time: the time of receipt counts
        (age(24, 0), age(23, 5)),  # a day ahead of its arrival may be a wrong clock
        (age(4, 5), age(28, 3)),  # from the future, and the other arrived later
        (age(2, 5), age(1e6, 3)),  # the later arrival was made before the other arrived: a retry, or another zone
        (age(1e6, 5), age(4, 4)),  # from the future, and arrived last
        (age(1e6, 5), age(2e6, 4)),  # both from the future: their arrivals decide
    ],
)
def test_newer_version_is_current_in_either_order(newer: Age, older: Age) -> None:
    assert newest_first([newer, older]) == newest_first([older, newer]) == [newer, older]


def test_old_payload_that_arrives_after_one_from_the_future_makes_neither_current() -> None:
    known, future, late = age(5, 5), age(1e6, 6), age(1, 7)

    assert newest_first([known, future, late]) == [known, late, future]


def test_version_of_another_source_counts_once_it_is_accepted() -> None:
    own, foreign = age(1, 1), age(5, 5, is_set_aside=True)

    assert newest_first([foreign, own]) == [own]
    assert newest_first([repeated(foreign, age(5, 6)), own])[0].receipt_id == foreign.receipt_id


@pytest.mark.parametrize(
    ("version", "receipt", "made_h"),
    [
        (age(1, 2), age(4, 5), 4),
        (age(4, 5), age(1, 6), 4),
        (age(1, 2), age(None, 3), 3),
        (age(1, 2), age(1e6, 3), 1),  # a receipt from the future proves nothing
        (age(1, 2), age(4, 5, is_set_aside=True), 1),
        (age(1e6, 2), age(40, 40), 40),  # a receipt of a present time tells when the version was made
        (age(1e6, 2), age(1e6, 3), 2),
    ],
)
def test_receipt_that_says_the_same_makes_its_version_no_older(version: Age, receipt: Age, made_h: float) -> None:
    assert repeated(version, receipt).made_at == NOON + timedelta(hours=made_h)


hours = st.integers(0, 5)  # few, so that they collide
ages = st.builds(age, st.none() | hours | st.just(1000), hours, st.sampled_from("abc"), is_set_aside=st.booleans())


@given(st.lists(ages, max_size=5, unique_by=lambda each: each.receipt_id))
def test_versions_have_one_order_by_their_events_and_none_from_the_future_supersedes_a_later_arrival(
    some: list[Age],
) -> None:
    ordered = newest_first(some)

    assert all(newest_first(order) == ordered for order in permutations(some))
    assert set(ordered) == {each for each in some if not each.is_set_aside}
    made = [(each.made_at, each.received_at, each.receipt_id) for each in ordered if not each.is_from_future]
    assert made == sorted(made, reverse=True)
    for place, later in enumerate(ordered):
        before = [each for each in ordered[:place] if each.is_from_future]
        assert later.is_from_future or all(each.received_at > later.received_at for each in before)


@pytest.mark.parametrize(
    ("one", "other", "is_new"),
    [
        ("1.50", "1.5", False),
        ("1e2", "100.0", False),
        ("1e999999999", "10e999999998", False),
        ("1e-999999999999999999", "0.1e-999999999999999998", False),
        ("1e999999999", "1e999999998", True),
        ("1e999999999999999999", "2e999999999999999999", True),
        (f"1.{'0' * 30}1", f"1.{'0' * 30}2", True),
        ("1e-999999999", "0.0", True),
        ("2.5", '"2.5"', True),
        ("2.5", '["NaN", "2.5"]', True),
        ("2.5", '[null, "2.5"]', True),
    ],
)
def test_another_number_says_something_new_at_any_size_but_another_spelling_does_not(
    one: str, other: str, is_new: bool
) -> None:
    first, second = (statement_of(parse(f'{{"data": [{{"left": {number}}}]}}'.encode()), []) for number in (one, other))

    assert (first != second) is is_new

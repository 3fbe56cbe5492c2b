"""A run that waits is tried again with growing pauses for three days."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from domain.runs import next_try

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def _pause_s(attempts: int) -> float | None:
    found = next_try(NOON, attempts, NOON)
    return (found - NOON).total_seconds() if found else None


def test_pauses_double_from_ten_seconds_to_fifteen_minutes() -> None:
    assert [_pause_s(attempts) for attempts in range(1, 10)] == [10, 20, 40, 80, 160, 320, 640, 900, 900]


def test_run_that_has_waited_for_three_days_needs_a_person() -> None:
    assert next_try(NOON, 300, NOON + timedelta(days=3, seconds=-1))
    assert next_try(NOON, 300, NOON + timedelta(days=3)) is None


@given(st.integers(1, 10_000), st.timedeltas(timedelta(0), timedelta(days=3, microseconds=-1)))
def test_waiting_run_is_tried_again_within_a_quarter_of_an_hour(attempts: int, waited: timedelta) -> None:
    now = NOON + waited
    due_at = next_try(NOON, attempts, now)

    assert due_at
    assert timedelta(seconds=10) <= due_at - now <= timedelta(minutes=15)

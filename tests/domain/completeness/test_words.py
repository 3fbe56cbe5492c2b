"""Words for people about missing processes."""

from datetime import timedelta

import pytest

from domain.completeness.words import hours_left, left_text, missing_text
from tests.records import NOON


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

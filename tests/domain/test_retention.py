"""An archive is due after its whole retention, never before: in leap years, at ends of months, in every time zone."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from domain.retention import Due, due, read_date
from models.retention import DueAction, RetentionRule

JERUSALEM = ZoneInfo("Asia/Jerusalem")
ENDED = datetime(2024, 2, 28, 22, 30, tzinfo=UTC)
"""Half past midnight of 29 February in Jerusalem."""


def due_by(text: str, *values: Any, ended_at: datetime = ENDED, zone: ZoneInfo = JERUSALEM) -> Due:
    found = due(text, values, ended_at, zone)
    assert found
    return found


@pytest.mark.parametrize(
    ("rule", "values", "due_on"),
    [
        ("erase after 1 year", [], date(2025, 3, 1)),
        ("erase after 4 years", [], date(2028, 2, 29)),
        ("erase after 1 day", [], date(2024, 3, 1)),
        ("erase after 7 years from END", ["31/12/2024"], date(2031, 12, 31)),
        ("erase after 30 days from END", ["2024-01-31"], date(2024, 3, 1)),
        ("erase after 1 day from END", [" 2024-12-31T23:59:59Z "], date(2025, 1, 1)),
        ("erase after 1 day from END", ["1.2.2024", "2024-02-01"], date(2024, 2, 2)),
    ],
)
def test_archive_is_due_on_the_day_after_which_all_days_and_years_have_passed(
    rule: str, values: list[Any], due_on: date
) -> None:
    found = due_by(rule, *values)

    assert (found.action, found.at.astimezone(JERUSALEM).isoformat()[:16]) == (DueAction.ERASE, f"{due_on}T00:00")


@pytest.mark.parametrize(
    "values",
    [
        [],
        [""],
        [None],
        [20241231],
        ["soon"],
        ["12/31/2024"],
        ["31/12-2024"],
        ["9999-12-31"],
        ["2024-01-01", "2025-01-01"],
    ],
)
def test_date_that_cannot_be_read_is_for_a_person_at_the_end_of_the_process(values: list[Any]) -> None:
    assert due_by("erase after 7 years from END", *values) == Due(DueAction.REVIEW, ENDED)


ZONES = st.sampled_from(["UTC", "Asia/Jerusalem", "Pacific/Kiritimati", "Pacific/Pago_Pago", "America/Sao_Paulo"])
DATES = st.dates(date(1900, 1, 1), date(8000, 12, 31))


@given(day=DATES, years=st.integers(1, 999), days=st.integers(1, 99_999), zone=ZONES.map(ZoneInfo))
def test_no_archive_is_due_early_and_none_more_than_a_day_late(
    day: date, years: int, days: int, zone: ZoneInfo
) -> None:
    assert read_date(f"{day:%d}.{day:%m}.{day.year}") == read_date(day.isoformat()) == day
    after_days = due_by(f"review after {days} days from END", day.isoformat(), zone=zone).at.astimezone(zone)
    after_years = due_by(f"review after {years} years from END", day.isoformat(), zone=zone).at.astimezone(zone)

    assert after_days.date() - day == timedelta(days=days)
    its = after_years.date()
    assert its.year == day.year + years
    assert (its.month, its.day) == ((day.month, day.day) if (day.month, day.day) != (2, 29) or _leaps(its) else (3, 1))


def _leaps(day: date) -> bool:
    return day.year % 4 == 0 and (day.year % 100 != 0 or day.year % 400 == 0)


@given(
    at=st.integers(0, 7_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)), zone=ZONES.map(ZoneInfo)
)
def test_end_of_a_process_counts_from_its_day_in_the_zone_of_the_source(at: datetime, zone: ZoneInfo) -> None:
    found = due_by("erase after 10 days", ended_at=at, zone=zone).at

    assert found.astimezone(zone).date() == at.astimezone(zone).date() + timedelta(days=10)
    assert timedelta(days=8, hours=22) < found - at <= timedelta(days=10, hours=2)


@pytest.mark.parametrize(
    "text",
    ["erase", "erase after 0 years", "erase after 1000 years", "remove after 1 year", "erase after 1 year from "],
)
def test_rule_that_is_none_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValidationError, match="erase after 7 years"):
        TypeAdapter(RetentionRule).validate_python(text)

"""Cells of a list are read as spreadsheets and people write them."""

from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.completeness.list_rows import number_of, time_of
from models.completeness.listed import ListedTime
from tests.lists import local


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        (1001, 1001),
        (1001.0, 1001),
        ("1001", 1001),
        (" 1,001 ", 1001),
        ("1 001", 1001),
        ("1\xa0001", 1001),
        ("12,345,678", 12345678),
        ("1001.0", 1001),
        ("#1001", 1001),
        ("001001", 1001),
        ("\u200f1001", 1001),
        ('="001001"', 1001),
        ("'1001", 1001),
        ((1 << 63) - 1, (1 << 63) - 1),
        ("9223372036854775807", (1 << 63) - 1),
    ],
)
def test_number_is_read_as_a_spreadsheet_writes_it(cell: str | float, number: int) -> None:
    assert number_of(cell) == number


@pytest.mark.parametrize(
    "cell",
    [
        *("", None, "1001a", "1.5", 1.5, -1, "-1", True, "1,00", "1E+05", "١٢", 1e300, float("nan"), float("inf")),
        *(1 << 63, "9223372036854775808", "1" * 5000, local(2026, 1, 1), "12/11"),
    ],
)
def test_what_is_no_whole_number_is_not_read(cell: object) -> None:
    assert number_of(cell) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "cell",
    [
        local(2026, 11, 4, 22, 15),
        "2026-11-04 22:15",
        "2026-11-04T22:15:00",
        "2026-11-04T22:15:00.000",
        "04/11/2026 22:15",
        "4/11/2026, 22:15:00",
        "04.11.2026 22:15",
        "04-11-26 22:15",
        "4/11/2026 10:15 PM",
        "2026/11/04 22:15",
        "4 Nov 2026 22:15",
        "04-Nov-2026 22:15",
        "Nov. 4, 2026, 10:15 p.m.",
        "November 4, 2026, 22:15",
        "\u200e04/11/2026\u200f 22:15",
        46330.927083333336,
        "46330.927083333336",
    ],
)
def test_time_is_read_in_the_forms_that_exports_have(cell: str | float | datetime) -> None:
    assert time_of(cell, day_first=True) == ListedTime(local(2026, 11, 4, 22, 15))


@pytest.mark.parametrize("cell", [date(2026, 11, 4), "2026-11-04", "04/11/2026", "4.11.26", "4 Nov 2026", 46330])
def test_day_without_a_time_is_a_day(cell: str | int | date) -> None:
    assert time_of(cell, day_first=True) == ListedTime(local(2026, 11, 4), is_day=True)


def test_month_comes_first_where_the_settings_say_so() -> None:
    assert time_of("04/11/2026 12:05 am", day_first=False) == ListedTime(local(2026, 4, 11, 0, 5))


def test_stated_zone_is_kept() -> None:
    zone = timezone(timedelta(hours=2))
    assert time_of("2026-11-04T22:15:00+02:00", day_first=True) == ListedTime(
        datetime(2026, 11, 4, 22, 15, tzinfo=zone)
    )


@pytest.mark.parametrize(
    "cell",
    [
        *("", None, "yesterday", "32/11/2026", "04/13/2026", "04/11/2026 25:00", "4/11/2026 13:15 pm", "1899-12-30"),
        *(True, 1.5, "04/11/1999", "9999-12-31", float("nan"), "4 Foo 2026", "10:00:00", "04/11-2026", "99999", 0, 100),
    ],
)
def test_what_is_no_time_is_not_read(cell: object) -> None:
    assert time_of(cell, day_first=True) is None  # type: ignore[arg-type]


@given(st.text() | st.integers() | st.floats() | st.booleans() | st.datetimes() | st.dates() | st.none(), st.booleans())
def test_any_cell_is_read_or_not(cell: object, day_first: bool) -> None:
    number, found = number_of(cell), time_of(cell, day_first=day_first)  # type: ignore[arg-type]
    assert number is None or 0 <= number < 1 << 63
    assert found is None or 2000 <= found.stated.year <= 2100


@given(st.integers(0, (1 << 63) - 1))
def test_number_is_the_same_in_all_its_forms(number: int) -> None:
    assert {number_of(each) for each in (number, str(number), f"{number:,}", f"#{number}")} == {number}

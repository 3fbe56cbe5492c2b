"""What was counted by the hour becomes periods, with what stood open at the end of each."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from domain.overview import by_day, hours_of_days, hours_until, minutes_since, percentile, periods, since_first
from models.views.overview import Counted, Levels

NOW = datetime(2026, 11, 27, 1, 23, 45, tzinfo=UTC)
ONE, TWO = datetime(2026, 11, 27, 0, tzinfo=UTC), datetime(2026, 11, 27, 1, tzinfo=UTC)
JERUSALEM = ZoneInfo("Asia/Jerusalem")


def test_hours_are_the_last_24_and_the_current_one() -> None:
    hours = hours_until(NOW)

    assert (len(hours), hours[0], hours[-1]) == (25, datetime(2026, 11, 26, 1, tzinfo=UTC), TWO)


def test_young_installation_has_periods_of_five_minutes_from_those_before_its_first_delivery() -> None:
    minutes = minutes_since(NOW - timedelta(minutes=9), NOW)

    assert [f"{each:%H:%M:%S}" for each in minutes] == ["01:05:00", "01:10:00", "01:15:00", "01:20:00"]
    assert minutes_since(NOW - timedelta(hours=2, seconds=1), NOW) == minutes_since(None, NOW) == []


def test_periods_begin_with_the_one_before_the_first_delivery() -> None:
    found = periods(dict.fromkeys(hours_until(NOW), Counted()), Levels(0, 0, 0))

    assert since_first(found, TWO) == since_first(found, NOW) == found[-2:]
    assert since_first(found, ONE - timedelta(minutes=1)) == found[-4:]
    assert since_first(found, NOW - timedelta(days=9)) == since_first(found, None) == found


def test_days_are_the_last_30_and_the_current_one_of_the_zone() -> None:
    hours = hours_of_days(NOW, JERUSALEM)
    days = by_day(dict.fromkeys(hours, Counted(arrived=1)), JERUSALEM)

    assert (len(days), hours[0], hours[-1]) == (31, datetime(2026, 10, 27, 22, tzinfo=UTC), TWO)
    assert [each.arrived for each in days.values()] == [24] * 30 + [4]


def test_day_with_a_change_of_the_clock_has_25_hours() -> None:
    hours = hours_of_days(NOW - timedelta(days=15), JERUSALEM)
    days = by_day(dict.fromkeys(hours, Counted(arrived=1)), JERUSALEM)

    assert [each.arrived for each in days.values()].count(25) == 1  # 25 October 2026


def test_day_sums_its_hours_and_merges_causes_and_durations() -> None:
    first = Counted(arrived=1, completed=2, failed={"A": 1}, durations_s={1.0: 2}, missing=1)
    second = Counted(arrived=2, refused=1, failed={"A": 1, "B": 3}, durations_s={1.0: 1, 9.0: 1}, missing=-1)

    assert by_day({ONE: first, TWO: second}, UTC) == {
        ONE: Counted(3, 2, 1, failed={"A": 2, "B": 3}, durations_s={1.0: 3, 9.0: 1})
    }


def test_what_stood_open_is_counted_back_from_now() -> None:
    counted = {ONE: Counted(missing=2, undelivered=5), TWO: Counted(discrepancies=3, missing=-1, undelivered=-5)}

    first, second = periods(counted, Levels(discrepancies=7, missing=1, undelivered=0))

    assert (first.open_discrepancies, first.missing, first.undelivered) == (4, 2, 5)
    assert (second.open_discrepancies, second.missing, second.undelivered) == (7, 1, 0)


def test_period_without_completions_has_no_time_to_completion() -> None:
    [period] = periods({ONE: Counted()}, Levels(0, 0, 0))

    assert (period.p50_s, period.p95_s) == (None, None)


@given(st.lists(st.integers(0, 50), min_size=1), st.integers(1, 100))
def test_percentile_is_a_value_that_so_many_values_do_not_exceed(values: list[int], percent: int) -> None:
    counts = {float(each): values.count(each) for each in values}
    found = percentile(counts, percent)

    assert found in counts
    assert sum(each <= found for each in values) * 100 >= len(values) * percent
    assert sum(each < found for each in values) * 100 < len(values) * percent

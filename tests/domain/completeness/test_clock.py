"""A clock that is wrong by a time zone is recognised, and an honest one is not, however late its deliveries.

The simulations have literal seeds. A run of 4,500 honest and 3,700 wrong sources had the same result.
"""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.completeness.clock import ZONES, clock_fault
from models.sources import Arrival

WINTER, SUMMER = datetime(2026, 1, 10, 9, tzinfo=UTC), datetime(2026, 7, 10, 9, tzinfo=UTC)
BEFORE_SUMMER = datetime(2026, 3, 22, 12, tzinfo=UTC)
Delay = Callable[[random.Random], float]


def quick(chance: random.Random) -> float:
    """Return a delay in seconds: some seconds, rarely minutes."""
    return chance.lognormvariate(1.5, 1.0)


def after_outages(chance: random.Random) -> float:
    """Every third delivery was tried again, 1, 2 or 4 hours after the first time."""
    return quick(chance) + (3600 * chance.choice((1, 2, 4)) if chance.random() < 0.33 else 0)


def hourly(chance: random.Random) -> float:
    """Deliveries leave in a batch once an hour."""
    return chance.uniform(0, 3600)


def retried(chance: random.Random) -> float:
    """Three of four first attempts fail; they are repeated after growing pauses."""
    return quick(chance) + chance.choice((0, 60, 300, 900, 3600, 7200, 14400, 28800))


def imported(chance: random.Random) -> float:
    """Old archives are delivered again, up to a day late."""
    return chance.uniform(0, 86400)


def arrivals(
    seed: int,
    actual: str = "UTC",
    read_in: str = "UTC",
    begin: datetime = WINTER,
    delay: Delay = quick,
    count: int = 40,
) -> list[Arrival]:
    """Return arrivals of 9 days, whose times are of one zone and were read in another."""
    chance = random.Random(seed)
    made = []
    for _ in range(count):
        event_at = begin + timedelta(seconds=chance.uniform(0, 9 * 86400))
        stated = event_at.astimezone(ZoneInfo(actual)).replace(tzinfo=None)
        read = stated.replace(tzinfo=ZoneInfo(read_in)).astimezone(UTC)
        made.append(Arrival(read, event_at + timedelta(seconds=delay(chance))))
    return made


@pytest.mark.parametrize("delay", [quick, after_outages, hourly, retried, imported])
def test_honest_source_has_no_fault_however_late_it_is(delay: Delay) -> None:
    for zone in ("UTC", "Asia/Jerusalem"):
        for begin in (WINTER, SUMMER):
            faults = [clock_fault(arrivals(seed, zone, zone, begin, delay), zone) for seed in range(40)]
            assert faults == [None] * 40


ONE_OUTAGE = [WINTER + timedelta(minutes=each) for each in range(60)]
NO_FAULTS: dict[str, tuple[list[Arrival], str]] = {
    "one outage": ([Arrival(at, at + timedelta(hours=2, seconds=5)) for at in ONE_OUTAGE], "UTC"),
    "few late arrivals": (arrivals(1, "Etc/GMT+2", count=7), "UTC"),
    "two arrivals before their event": (arrivals(1, "Asia/Jerusalem", count=3)[:2], "UTC"),
    "a zone that was set right since the arrivals": (arrivals(1, "Asia/Jerusalem"), "Asia/Jerusalem"),
    "a clock that is wrong by minutes": (arrivals(1, delay=lambda chance: quick(chance) - 1500), "UTC"),
    "no arrivals": ([], "UTC"),
}


@pytest.mark.parametrize(("found", "zone"), NO_FAULTS.values(), ids=NO_FAULTS)
def test_arrivals_that_no_other_zone_explains_are_no_fault(found: list[Arrival], zone: str) -> None:
    assert clock_fault(found, zone) is None


@pytest.mark.parametrize("actual", [zone for zone in ZONES if zone != "UTC"])
def test_wrong_zone_is_found_with_a_zone_that_explains_it(actual: str) -> None:
    for seed in range(4):
        for begin in (WINTER, SUMMER):
            fault = clock_fault(arrivals(seed, actual, "UTC", begin), "UTC")
            assert fault
            assert fault.explained >= 0.8 * fault.arrivals
            offset = begin.astimezone(ZoneInfo(actual)).utcoffset()
            assert begin.astimezone(ZoneInfo(fault.better_zone)).utcoffset() == offset


@pytest.mark.parametrize(
    ("actual", "read_in", "begin", "count", "ahead_h"),
    [
        ("Asia/Jerusalem", "UTC", WINTER, 40, 2),
        ("Asia/Jerusalem", "UTC", SUMMER, 40, 3),
        ("UTC", "Asia/Jerusalem", WINTER, 40, -2),
        ("Asia/Jerusalem", "UTC", WINTER, 3, 2),
        ("Asia/Kolkata", "UTC", WINTER, 40, 5.5),
        ("Etc/GMT-2", "UTC", SUMMER, 40, 2),  # Jerusalem does not explain the summer
        ("Asia/Jerusalem", "UTC", BEFORE_SUMMER, 40, 2),  # then three: no fixed offset explains all
    ],
)
def test_fault_names_the_zone_and_how_far_it_is_ahead(
    actual: str, read_in: str, begin: datetime, count: int, ahead_h: float
) -> None:
    fault = clock_fault(arrivals(1, actual, read_in, begin, count=count), read_in)
    assert fault
    assert (fault.zone, fault.better_zone, fault.arrivals, fault.explained) == (read_in, actual, count, count)
    assert abs(fault.ahead_s - ahead_h * 3600) < 60


@given(
    st.lists(
        st.builds(
            Arrival,
            *[st.datetimes(WINTER.replace(tzinfo=None), SUMMER.replace(tzinfo=None), timezones=st.just(UTC))] * 2,
        )
    )
)
def test_fault_always_names_another_zone_that_explains_most(found: list[Arrival]) -> None:
    fault = clock_fault(found, "Asia/Jerusalem")
    assert fault is None or (fault.better_zone != fault.zone and 5 * fault.explained >= 4 * fault.arrivals)

"""Recognises a source whose clock is wrong by a time zone.

Cellosign's times carry no zone, so they are read in the zone of the settings. If that is wrong, every archive seems to
arrive the same number of hours late, or before its own event. Honest delays are seconds, and late deliveries are late
by all kinds of times. So a zone is wrong if it explains almost no arrival, and another zone explains almost all.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from statistics import median_low
from zoneinfo import ZoneInfo

from models.sources import Arrival, ClockFault

_EARLIEST, _LATEST = timedelta(minutes=-2), timedelta(minutes=5)
"""An arrival within these bounds after its event is explained: clocks differ, and deliveries take their time."""

_WIDEST = timedelta(hours=14, minutes=30)
_LEAST_ARRIVALS, _LEAST_SPAN = 8, timedelta(hours=6)
_LEAST_EARLY = 3
"""Arrivals that come before their event are enough sooner: nothing but a clock explains them."""
_MOST_BY_OWN, _LEAST_BY_OTHER = 0.1, 0.8

ZONES = (
    "Asia/Jerusalem",
    "UTC",
    *(f"Etc/GMT{hours:+}" for hours in (*range(-14, 0), *range(1, 13))),
    *("Asia/Kolkata", "Asia/Kathmandu", "Asia/Tehran", "Asia/Kabul", "Asia/Yangon"),
    *("Australia/Darwin", "Australia/Adelaide", "Australia/Lord_Howe", "Pacific/Chatham", "America/St_Johns"),
)
"""Zones to recommend; among equally good ones the first. A zone with summer time explains both halves of the year."""


def clock_fault(arrivals: Iterable[Arrival], zone: str) -> ClockFault | None:
    """Return the fault of a source's clock, None if there is none or it cannot be known. Pure.

    Arrivals that are late by more than any zone are left out. After a change of the setting, stored times are still
    those of the former zone. If that was UTC, the default, this is recognised, and there is no fault.

    Args:
        arrivals: the recent ones, each the first of its event.
        zone: the zone in which `event_at` was read.
    """
    recent = [each for each in arrivals if abs(each.received_at - each.event_at) <= _WIDEST]
    if not _are_enough(recent):
        return None
    stated = [(_stated(each, zone), each.received_at) for each in recent]
    if _explained(stated, zone) > _MOST_BY_OWN * len(recent):
        return None
    if _explained([(_stated(each, "UTC"), each.received_at) for each in recent], zone) >= _LEAST_BY_OTHER * len(recent):
        return None
    scores = {name: _explained(stated, name) for name in ZONES}
    best = max(scores, key=lambda name: scores[name])
    if scores[best] < _LEAST_BY_OTHER * len(recent):
        return None
    ahead_s = median_low((each.event_at - each.received_at).total_seconds() for each in recent)
    return ClockFault(zone, best, scores[best], len(recent), round(ahead_s))


def _are_enough(arrivals: Sequence[Arrival]) -> bool:
    early = sum(each.received_at - each.event_at < _EARLIEST for each in arrivals)
    if early >= _LEAST_EARLY and 2 * early > len(arrivals):
        return True
    times = [each.received_at for each in arrivals]
    return len(times) >= _LEAST_ARRIVALS and max(times) - min(times) >= _LEAST_SPAN


def _stated(arrival: Arrival, read_in: str) -> datetime:
    """Return the time as the source stated it, without a zone."""
    return arrival.event_at.astimezone(ZoneInfo(read_in)).replace(tzinfo=None)


def _explained(stated: Iterable[tuple[datetime, datetime]], zone: str) -> int:
    """Return how many arrivals came soon after their event, if the times that they state are of a zone."""
    known = ZoneInfo(zone)
    return sum(any(_is_soon(each, received_at, known, fold) for fold in (0, 1)) for each, received_at in stated)


def _is_soon(stated: datetime, received_at: datetime, zone: ZoneInfo, fold: int) -> bool:
    return _EARLIEST <= received_at - stated.replace(tzinfo=zone, fold=fold) <= _LATEST

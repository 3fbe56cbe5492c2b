"""Makes the periods of the overview from what was counted by the hour."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from math import ceil
from typing import Any, TypeVar

from models.views.overview import Counted, Levels, Period

K = TypeVar("K")

HOUR = timedelta(hours=1)
MINUTES = timedelta(minutes=5)
_BY_MINUTES_FOR = timedelta(hours=2)
_HOURS = 24
WEEK_H = 7 * _HOURS
_DAYS = 30


def hours_until(now: datetime, hours: int = _HOURS) -> list[datetime]:
    """Return the begins of the last 24 hours, or of as many, and of the current one. Pure."""
    current = now.replace(minute=0, second=0, microsecond=0)
    return [current - HOUR * each for each in range(hours, -1, -1)]


def minutes_since(first_at: datetime | None, now: datetime) -> list[datetime]:
    """Return the begins of five minutes each, from those before the first delivery until now; none if it is older than
    two hours. Pure.
    """
    if first_at is None or now - first_at > _BY_MINUTES_FOR:
        return []
    begin = first_at.replace(minute=first_at.minute // 5 * 5, second=0, microsecond=0) - MINUTES
    return [begin + MINUTES * each for each in range((now - begin) // MINUTES + 1)]


def since_first(found: list[Any], first_at: datetime | None) -> list[Any]:
    """Return the periods from the one before the first delivery on: those before are empty. Pure."""
    later = sum(first_at is None or each.since > first_at for each in found)
    return found[max(len(found) - later - 2, 0) :]


def hours_of_days(now: datetime, zone: tzinfo) -> list[datetime]:
    """Return the begins of the hours of the last 30 days and of the current one, in UTC. Pure.

    An hour belongs to the day in which it begins: in a zone that is half an hour off, a day begins so much earlier.
    """
    first_day = (now.astimezone(zone) - timedelta(days=_DAYS)).date()
    current = now.replace(minute=0, second=0, microsecond=0)
    back = (_DAYS + 2) * _HOURS
    hours = [current - HOUR * each for each in range(back, -1, -1)]
    return [each for each in hours if each.astimezone(zone).date() >= first_day]


def by_day(counted: Mapping[datetime, Counted], zone: tzinfo) -> dict[datetime, Counted]:
    """Return what happened on each day, by the begin of its first hour. Pure."""
    days: dict[object, list[datetime]] = {}
    for hour in sorted(counted):
        days.setdefault(hour.astimezone(zone).date(), []).append(hour)
    return {hours[0]: _sum([counted[each] for each in hours]) for hours in days.values()}


def periods(counted: Mapping[datetime, Counted], at_the_end: Levels) -> list[Period]:
    """Return the periods, oldest first. What stood open is counted back from the end of the last period. Pure."""
    found: list[Period] = []
    level = at_the_end
    for since in sorted(counted, reverse=True):
        each = counted[since]
        found.append(_period(since, each, level))
        level = Levels(
            level.discrepancies - each.discrepancies, level.missing - each.missing, level.undelivered - each.undelivered
        )
    return found[::-1]


def percentile(counts: Mapping[float, int], percent: int) -> float | None:
    """Return the smallest value that `percent` of 100 values do not exceed; None without values. Pure."""
    rank = ceil(sum(counts.values()) * percent / 100)
    for value in sorted(counts):
        rank -= counts[value]
        if rank <= 0:
            return value
    return None


def _period(since: datetime, counted: Counted, level: Levels) -> Period:
    return Period(
        since=since,
        arrived=counted.arrived,
        completed=counted.completed,
        refused=counted.refused,
        failed=dict(counted.failed),
        p50_s=percentile(counted.durations_s, 50),
        p95_s=percentile(counted.durations_s, 95),
        open_discrepancies=max(level.discrepancies, 0),
        missing=max(level.missing, 0),
        undelivered=max(level.undelivered, 0),
    )


def _sum(hours: Sequence[Counted]) -> Counted:
    return Counted(
        arrived=sum(each.arrived for each in hours),
        completed=sum(each.completed for each in hours),
        refused=sum(each.refused for each in hours),
        failed=_merged(each.failed for each in hours),
        durations_s=_merged(each.durations_s for each in hours),
        discrepancies=sum(each.discrepancies for each in hours),
        missing=sum(each.missing for each in hours),
        undelivered=sum(each.undelivered for each in hours),
    )


def _merged(several: Iterable[Mapping[K, int]]) -> dict[K, int]:
    merged: Counter[K] = Counter()
    for each in several:
        merged.update(each)
    return dict(merged)

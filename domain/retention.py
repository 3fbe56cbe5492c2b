"""When the retention of an archive ends, and what is due then. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from models.retention import RULE, DueAction

_DAY_FIRST = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})")
_FIRST_YEAR, _LAST_YEAR = 1900, 8000
"""A date outside of these years is none: in many forms, one in 9999 stands for no end, so a person looks at it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What is to be done so many days or years after the date in a form field, or after the end of the process."""

    action: DueAction
    days: int
    years: int
    field: str | None


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be done with an archive, and from which time on."""

    action: DueAction
    at: datetime


@lru_cache
def read_rule(text: str) -> Rule | None:
    """Return the rule that a text of the type `RetentionRule` states; None if it is to keep archives."""
    its = RULE.fullmatch(text)
    if its is None or its["action"] is None:
        return None
    return Rule(DueAction(its["action"]), int(its["days"] or 0), int(its["years"] or 0), its["field"])


def due(rule: Rule, values: Iterable[Any], ended_at: datetime, zone: ZoneInfo) -> Due:
    """Return what is due of an archive, and when.

    It is due with the first moment, in the zone of its source, of the day on which all days or years have passed. From
    29 February that is the 1 March of a year that has no 29 February. A field whose date cannot be read, or with
    several dates, is for a person: the archive is due for a review at the end of the process.

    Args:
        values: those of the field that the rule names.
        ended_at: when the process ended.
    """
    start = ended_at.astimezone(zone).date()
    if rule.field is None:
        return Due(rule.action, _begin(_after(start, rule), zone))
    dates = {read_date(each) for each in values}
    [day] = dates if len(dates) == 1 else [None]
    return Due(DueAction.REVIEW, ended_at) if day is None else Due(rule.action, _begin(_after(day, rule), zone))


def read_date(value: Any) -> date | None:
    """Return the day that a value of a form states, None if it states none: `2026-12-31`, a time that begins so, or
    `31/12/2026` with slashes, dots or hyphens. The day stands before the month.
    """
    text = value.strip() if isinstance(value, str) else ""
    try:
        if day_first := _DAY_FIRST.fullmatch(text):
            found = date(int(day_first[4]), int(day_first[3]), int(day_first[1]))
        else:
            found = datetime.fromisoformat(text).date()
    except ValueError:
        return None
    return found if _FIRST_YEAR <= found.year <= _LAST_YEAR else None


def _after(day: date, rule: Rule) -> date:
    """Return the first day on which all days or years have passed."""
    year = day.year + rule.years
    try:
        return day.replace(year=year) + timedelta(days=rule.days)
    except ValueError:  # it is 29 February
        return date(year, 3, 1)


def _begin(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)

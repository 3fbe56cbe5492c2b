"""When the retention of an archive ends, and what is due then. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from models.retention import RULE, DueAction, RetentionRule

_DAY_FIRST = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})")
_FIRST_YEAR, _LAST_YEAR = 1900, 8000
"""A date outside of these years is none: in many forms, one in 9999 stands for no end, so a person looks at it."""


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be done with an archive, and from which time on."""

    action: DueAction
    at: datetime


def field_of(rule: RetentionRule) -> str | None:
    """Return the id of the form field whose date a rule counts from; None if it counts from the end of the process."""
    its = RULE.fullmatch(rule)
    return its["field"] if its else None


def due(rule: RetentionRule, values: Iterable[Any], ended_at: datetime, zone: ZoneInfo) -> Due | None:
    """Return what is due of an archive, and when; None if the rule is to keep it.

    It is due with the first moment, in the zone of its source, of the day on which all days or years have passed. From
    29 February that is the 1 March of a year that has no 29 February. A field whose date cannot be read, or with
    several dates, is for a person: the archive is due for a review at the end of the process.

    Args:
        values: those of the field that the rule names.
        ended_at: when the process ended.
    """
    its = RULE.fullmatch(rule)
    if its is None or its["action"] is None:
        return None
    dates = {read_date(each) for each in values} if its["field"] else {ended_at.astimezone(zone).date()}
    day = dates.pop() if len(dates) == 1 else None
    if day is None:
        return Due(DueAction.REVIEW, ended_at)
    last = _after(day, int(its["years"] or 0), int(its["days"] or 0))
    return Due(DueAction(its["action"]), datetime.combine(last, time(), zone).astimezone(UTC))


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


def _after(day: date, years: int, days: int) -> date:
    """Return the first day on which all days or years have passed."""
    try:
        return day.replace(year=day.year + years) + timedelta(days=days)
    except ValueError:  # it is 29 February
        return date(day.year + years, 3, 1)

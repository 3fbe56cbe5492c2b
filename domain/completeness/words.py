"""Words for people why a process is missing, and how much time is left."""

from datetime import datetime, timedelta

from domain.words.catalogue import word
from models.said import Said

_TWO_DAYS_MIN = 2 * 24 * 60


def why_text(why: str) -> str:
    """Return why a process is missing, like `submitted, and not archived`. Pure."""
    return word(Said(f"missing_{why}"))


def left_text(deadline_at: datetime, now: datetime) -> str:
    """Return the time left, rounded down, like `6 days left`, `17 hours left` or `deadline passed`. Pure."""
    left = deadline_at - now
    if left <= timedelta():
        return "deadline passed"
    minutes = int(left.total_seconds() // 60)
    if minutes >= _TWO_DAYS_MIN:
        return f"{minutes // 1440} days left"
    count, unit = (minutes // 60, "hour") if minutes >= 60 else (minutes, "minute")
    return f"{count} {unit}{'' if count == 1 else 's'} left"


def missing_text(why: str, since: datetime, deadline_at: datetime, now: datetime) -> str:
    """Return a line such as `submitted, and not archived, since 2026-01-01 12:00 UTC; 17 hours left`. Pure."""
    return f"{why_text(why)}, since {since:%Y-%m-%d %H:%M} UTC; {left_text(deadline_at, now)}"


def hours_left(deadline_at: datetime, now: datetime) -> int:
    """Return the full hours left; 0 after the deadline. Pure."""
    return max(0, int((deadline_at - now).total_seconds() // 3600))

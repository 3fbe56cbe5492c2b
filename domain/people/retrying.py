"""Decides when a letter that was not taken is sent again."""

from datetime import datetime, timedelta

_TRIED_FOR = timedelta(days=3)
_FIRST_PAUSE = timedelta(minutes=1)
_LONGEST_PAUSE = timedelta(hours=1)


def next_attempt(planned_at: datetime, attempts: int, now: datetime) -> datetime | None:
    """Return when a letter is sent again after `attempts` failed in a row; None after three days, when it is given up.

    The pause doubles from a minute to an hour. Pure.
    """
    if now - planned_at >= _TRIED_FOR:
        return None
    pause: timedelta = _FIRST_PAUSE * 2 ** min(attempts - 1, 10)
    return now + min(pause, _LONGEST_PAUSE)

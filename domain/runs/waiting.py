"""Decides when a run that waits is tried again."""

from datetime import datetime, timedelta

WAITS_FOR = timedelta(days=3)
_FIRST_PAUSE = timedelta(seconds=10)
_LONGEST_PAUSE = timedelta(minutes=15)


def next_try(since: datetime, attempts: int, now: datetime) -> datetime | None:
    """Return when a waiting run is tried again; None after three days, when a person has to act.

    The pause doubles with each of the `attempts` in a row that have failed since `since`, from 10 s to 15 min. A run is
    tried sooner when its worker sees that the system it waits for is back. Pure.
    """
    if now - since >= WAITS_FOR:
        return None
    pause: timedelta = _FIRST_PAUSE * 2 ** min(attempts - 1, 10)
    return now + min(pause, _LONGEST_PAUSE)

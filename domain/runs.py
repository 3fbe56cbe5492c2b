"""Runs: the causes of their failures, when a run that waits is tried again, and the words for what waits."""

from datetime import datetime, timedelta
from typing import get_args

from domain.words.catalogue import word
from models.errors import CellarError, Locked, RefusalCode, System, Transient, Unexpected
from models.runs.receipt import Cause
from models.said import Said, Sentence

CANCELLED = Cause("CANCELLED", None, "Cancelled", Sentence.run_cancelled())
CRASHED = Cause("CRASHED", None, "Crashed", Sentence.run_crashed())
_LACKS_ITS_BODY = {"BODY_DAMAGED", "BODY_MISSING", "FILE_LOST", "NOT_REPAIRABLE", *get_args(RefusalCode)}


def heals_by_rerun(code: str) -> bool:
    """Return whether running the archive again can help by itself. It cannot while there is no sound body to run: a new
    delivery brings one and its own run, or the store is restored first.
    """
    return code not in _LACKS_ITS_BODY


def cause_of(error: Exception, task: str | None) -> Cause:
    """Return why an attempt failed. Its sentence repeats no value of a payload, also where the error is unexpected."""
    told = error if isinstance(error, CellarError) else Unexpected(error)
    name = told.error_class if isinstance(told, Unexpected) else type(told).__name__
    return Cause(told.code, task, name, told.at_place())


def system_of(error: Exception) -> System | None:
    """Return what a failed run has to wait for, None where waiting would not heal the failure."""
    if isinstance(error, Locked):
        return System.KEY
    if isinstance(error, Transient):
        return error.system or System.OTHER_RUN
    return None


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


_AWAY = "see `cellar status`"
_TO_DO: dict[str, str] = {
    System.STORE: _AWAY,
    System.DATABASE: _AWAY,
    System.PREFECT: _AWAY,
    System.CLAMAV: _AWAY,
    System.KEY: "bring the key back in `secrets/seal`, CELLAR_SEAL_KEYS or `keys/` of the store",
}
_NOTHING_TO_DO = "nothing to do"


def waits_text(waits_for: str, archives: int, since: datetime, now: datetime) -> str:
    """Return a line such as `2 archives wait for another run of the same process since 2026-01-01 10:00 UTC (3 min);
    nothing to do`. Pure.

    A system that is away comes back by a person's doing alone, while the runs that wait for it go on by themselves.
    """
    whose = "1 archive waits" if archives == 1 else f"{archives} archives wait"
    moment = f"{since:%Y-%m-%d %H:%M} UTC ({age_text(now - since)})"
    return f"{whose} for {word(Said(f'waits_{waits_for}'))} since {moment}; {_TO_DO.get(waits_for, _NOTHING_TO_DO)}"


def age_text(age: timedelta) -> str:
    """Return a duration in the largest unit of which it has two: `12 s`, `3 min`, `5 h`, `2 days`. Pure."""
    seconds = max(int(age.total_seconds()), 0)
    for unit_s, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * unit_s:
            return f"{seconds // unit_s} {unit}"
    return f"{seconds} s"

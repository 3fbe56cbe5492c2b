"""Words for people what waits, since when, and what ends the wait."""

from datetime import datetime, timedelta

from models.errors import System

_AWAY = "see `cellar doctor`"
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
    return f"{whose} for {_named(waits_for)} since {moment}; {_TO_DO.get(waits_for, _NOTHING_TO_DO)}"


def age_text(age: timedelta) -> str:
    """Return a duration in the largest unit of which it has two: `12 s`, `3 min`, `5 h`, `2 days`. Pure."""
    seconds = max(int(age.total_seconds()), 0)
    for unit_s, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * unit_s:
            return f"{seconds // unit_s} {unit}"
    return f"{seconds} s"


def _named(waits_for: str) -> str:
    if waits_for in (System.PREFECT, System.CLAMAV):
        return waits_for
    return "another run of the same process" if waits_for == System.OTHER_RUN else f"the {waits_for}"

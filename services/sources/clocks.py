"""Warns of sources whose clock is wrong by a time zone."""

from datetime import UTC, datetime, timedelta

from adapters.tables import clocks
from domain.completeness.clock import clock_fault
from models.runs.receipt import DEFAULT_SOURCE
from models.sources.clock import ClockFault, ClockWarning
from services.sources.terms import terms_of

_LOOKED_BACK = timedelta(days=14)


def clock_warning(source: str, now: datetime | None = None) -> ClockWarning | None:
    """Return the warning that the clock of a source is wrong by a zone, None if there is none.

    Raises:
        Transient: the database or the store does not answer.
    """
    zone = terms_of(source).timezone
    fault = clock_fault(clocks.arrivals(source, (now or datetime.now(UTC)) - _LOOKED_BACK), zone)
    return _warning(source, fault) if fault else None


def clock_warnings(now: datetime | None = None) -> list[ClockWarning]:
    """Return the warnings of all sources, by name.

    Raises:
        Transient: the database or the store does not answer.
    """
    at = now or datetime.now(UTC)
    found = (clock_warning(source, at) for source in clocks.active_sources(at - _LOOKED_BACK))
    return [each for each in found if each is not None]


def _warning(source: str, fault: ClockFault) -> ClockWarning:
    hours = f"{round(abs(fault.ahead_s) / 900) / 4:g} h {'before' if fault.ahead_s > 0 else 'after'}"
    found = (
        f"source {source}: {fault.explained} of {fault.arrivals} recent arrivals came about {hours} the time that they "
        f"state; expected them within minutes after it, as times of {fault.better_zone}, not of {fault.zone}"
    )
    setting = f"CELLAR_TIMEZONE={fault.better_zone}"
    if source != DEFAULT_SOURCE:
        setting = f"`cellar sources set {source} --timezone {fault.better_zone}`"
    to_do = f"set {setting}" if source == DEFAULT_SOURCE else f"run {setting}"
    return ClockWarning(source, fault, found, f"{to_do}, then run the archives since again; see docs/reconcile.md")

"""Checks whether the times of each source are in the zone of the settings."""

from models.errors import System
from models.views.health import Check, Verdict
from services.health.bounded import Probe
from services.sources.clocks import clock_warnings

_DATABASE = "check CELLAR_DATABASE_URL and its server"


def clock_probes() -> list[Probe]:
    return [Probe("time zones", _time_zones, _DATABASE, needs=(System.DATABASE, System.STORE))]


def _time_zones() -> Check:
    warnings = clock_warnings()
    if not warnings:
        return Check(name="time zones", verdict=Verdict.OK, found="no source states times of another zone")
    found, to_do = ("; ".join(each) for each in zip(*((w.found, w.to_do) for w in warnings), strict=True))
    return Check(name="time zones", verdict=Verdict.WARNING, found=found, to_do=to_do)

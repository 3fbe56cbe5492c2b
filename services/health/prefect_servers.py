"""Checks that Prefect's servers and services work together: the same settings, and events that are recorded."""

from datetime import UTC, datetime, timedelta

from adapters.peers import prefect_facts
from models.errors import System
from models.views.health import Check, Verdict
from services.health.bounded import Probe

_ASKED = 4
_RECORDED_WITHIN = timedelta(minutes=1)
_OLDEST = timedelta(days=1)
_IN_MEMORY = ".memory"
_SAME = "give every Prefect server the variables of deploy/prefect-server.env, and start them again"
_SERVICES = (
    "see whether `prefect server services start` runs and Redis answers; archives go on meanwhile, but schedules stop "
    "and Prefect's UI shows no tasks"
)


def prefect_server_probes() -> list[Probe]:
    return [
        Probe("Prefect servers", _servers, _SAME, needs=System.PREFECT),
        Probe("Prefect events", _events, _SERVICES, needs=System.PREFECT),
    ]


def _servers() -> Check:
    """Ask a few times, since a load balancer gives the next request to the next server."""
    found = [prefect_facts.shared_parts() for _ in range(_ASKED)]
    differing = [name for name in type(found[0]).model_fields if len({getattr(each, name) for each in found}) > 1]
    if differing:
        text = f"servers behind this address differ in {', '.join(differing)}: some events reach only some of them"
        return Check(name="Prefect servers", verdict=Verdict.WRONG, found=text, to_do=_SAME)
    in_memory = [name for name, value in found[0].model_dump().items() if value.endswith(_IN_MEMORY)]
    if not in_memory:
        return Check(name="Prefect servers", verdict=Verdict.OK, found="events and leases are shared by Redis")
    if len(in_memory) == len(type(found[0]).model_fields):
        return Check(name="Prefect servers", verdict=Verdict.OK, found="one server, with events in its memory")
    text = f"Redis shares some parts, but {', '.join(in_memory)} lies in the memory of each server"
    return Check(name="Prefect servers", verdict=Verdict.WRONG, found=text, to_do=_SAME)


def _events() -> Check:
    """Look for the event of the end of a run: it passes through Redis and Prefect's services.

    An event that was lost while Redis was away stays lost. The warning ends once a later event is recorded.
    """
    now = datetime.now(UTC)
    run = prefect_facts.run_ended(now - _OLDEST, now - _RECORDED_WITHIN)
    if run is None:
        return Check(name="Prefect events", verdict=Verdict.OFF, found="no run has ended lately")
    if prefect_facts.has_event_of_end(run):
        return Check(name="Prefect events", verdict=Verdict.OK, found="the end of the last run is recorded")
    text = f"the end of a run at {run.end_time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC is not recorded"
    if prefect_facts.has_event_after(run):
        return Check(name="Prefect events", verdict=Verdict.OK, found=f"{text}, but events after it are")
    return Check(name="Prefect events", verdict=Verdict.WARNING, found=text, to_do=_SERVICES)

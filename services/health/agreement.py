"""Checks that the parts of the installation fit together: schema, versions, clocks, servers and deployments."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

from adapters.database import facts
from adapters.peers import prefect_facts
from adapters.settings.environment import POOL
from adapters.settings.settings import settings
from models.errors import System, Transient
from models.said import Sentence
from models.views.health import Grade
from services import derived
from services.health.checks import Found, Probe, plain, warning, wrong

_CLOCK_WARNS_S, _CLOCK_IS_WRONG_S = 5, 60
_ASKED = 4
_RECORDED_WITHIN = timedelta(minutes=1)
_OLDEST = timedelta(days=1)
_IN_MEMORY = ".memory"


@dataclass(frozen=True, slots=True)
class Expected:
    """A deployment of `prefect.yaml`."""

    name: str
    entrypoint: str
    is_scheduled: bool


def expected_deployments(prefect_yaml: str) -> list[Expected]:
    """Return the deployments of our `prefect.yaml`. Its form is ours, so no parser of YAML is needed. Pure."""
    found = []
    for block in re.split(r"^  - name: ", prefect_yaml, flags=re.MULTILINE)[1:]:
        entrypoint = re.search(r"^    entrypoint: (\S+)$", block, re.MULTILINE)
        if entrypoint:
            flow = entrypoint[1].rpartition(".")[2].replace("_", "-")
            name = f"{flow}/{block.partition(chr(10))[0].strip()}"
            found.append(Expected(name, entrypoint[1], "\n    schedules:" in block))
    return found


def agreement_probes(prefect_yaml: str) -> list[Probe]:
    database, prefect = (System.DATABASE,), (System.PREFECT,)
    return [
        Probe("schema", _schema, database),
        Probe("Prefect version", _versions, prefect),
        Probe("Prefect servers", _servers, prefect),
        Probe("Prefect events", _events, prefect),
        Probe("Prefect clock", lambda: _clock(prefect_facts.server().ahead_s), prefect),
        Probe("database clock", _database_clock, database),
        Probe("Prefect retention", _retention, prefect),
        Probe("work pool", _pool, prefect),
        *(Probe(each.name, _deployment(each), prefect) for each in expected_deployments(prefect_yaml)),
    ]


def _schema() -> Found:
    # Alembic is slow to import, for every command.
    from adapters.database.migration import revisions  # noqa: PLC0415

    facts.check_file()
    found = revisions()
    if not found.is_known:
        return plain(Grade.WRONG, found.unknown, found.advice)
    if found.database != found.newest:
        has = f"revision {found.database}" if found.database else "no tables of cellar"
        raise Transient(f"the database has {has}, this version expects {found.newest}")
    if derived.is_being_rebuilt():
        return plain(Grade.WARNING, "a rebuild goes on, or was killed; cellar rebuild needs an empty database")
    return plain(Grade.OK, f"revision {found.database}, the newest")


def _versions() -> Found:
    ours, theirs = version("prefect"), prefect_facts.server().version
    found = f"the server has {theirs}, cellar has {ours}"
    if ours.split(".")[:2] != theirs.split(".")[:2]:
        raise Transient(found)
    return plain(Grade.OK, found) if ours == theirs else plain(Grade.WARNING, found)


def _database_clock() -> Found:
    told = facts.clock()
    if told is None:
        return plain(Grade.OFF, "a file has no clock of its own")
    return _clock((told - datetime.now(UTC)).total_seconds())


def _clock(ahead_s: float) -> Found:
    found = f"{abs(ahead_s):.0f} s {'ahead of' if ahead_s > 0 else 'behind'} this machine's"
    if abs(ahead_s) > _CLOCK_IS_WRONG_S:
        raise Transient(found)
    if abs(ahead_s) > _CLOCK_WARNS_S:
        return plain(Grade.WARNING, found)
    return plain(Grade.OK, "agrees with this machine's")


def _retention() -> Found:
    """Check that the server removes ended runs, and not before cellar stops to link them and to keep their results."""
    kept, ours = prefect_facts.runs_kept_for(), settings().prefect_retention_days
    if kept is None:
        found = "the server keeps ended runs for ever: its database grows without end"
    elif kept != timedelta(days=ours):
        found = f"the server keeps ended runs for {kept.days} days, CELLAR_PREFECT_RETENTION_DAYS is {ours}"
    else:
        return plain(Grade.OK, f"the server keeps ended runs for {ours} days")
    return plain(Grade.WARNING, found)


def _servers() -> Found:
    """Ask a few times, since a load balancer gives the next request to the next server."""
    found = [prefect_facts.shared_parts() for _ in range(_ASKED)]
    differing = [name for name in type(found[0]).model_fields if len({getattr(each, name) for each in found}) > 1]
    if differing:
        text = f"servers behind this address differ in {', '.join(differing)}: some events reach only some of them"
        return plain(Grade.WRONG, text)
    in_memory = [name for name, value in found[0].model_dump().items() if value.endswith(_IN_MEMORY)]
    if not in_memory:
        return plain(Grade.OK, "events and leases are shared by Redis")
    if len(in_memory) == len(type(found[0]).model_fields):
        return plain(Grade.OK, "one server, with events in its memory")
    text = f"Redis shares some parts, but {', '.join(in_memory)} lies in the memory of each server"
    return plain(Grade.WRONG, text)


def _events() -> Found:
    """Look for the event of the end of a run: it passes through Redis and Prefect's services.

    An event that was lost while Redis was away stays lost. The warning ends once a later event is recorded.
    """
    now = datetime.now(UTC)
    run = prefect_facts.run_ended(now - _OLDEST, now - _RECORDED_WITHIN)
    if run is None:
        return plain(Grade.OFF, "no run has ended lately")
    if prefect_facts.has_event_of_end(run):
        return plain(Grade.OK, "the end of the last run is recorded")
    text = f"the end of a run at {run.end_time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC is not recorded"
    if prefect_facts.has_event_after(run):
        return plain(Grade.OK, f"{text}, but events after it are")
    return plain(Grade.WARNING, text)


def _pool() -> Found:
    pool = prefect_facts.pool()
    if pool is None:
        raise Transient(f"Prefect has no work pool {POOL}")
    if pool.is_paused:
        return wrong(Sentence.pool_is_paused, pool=POOL)
    return plain(Grade.OK, f"{POOL} is there and not paused")


def _deployment(expected: Expected) -> Callable[[], Found]:
    def _look() -> Found:
        found = prefect_facts.deployment(expected.name)
        if found is None:
            raise Transient("Prefect does not have this deployment")
        if (found.entrypoint, found.work_pool_name) != (expected.entrypoint, POOL):
            raise Transient(f"it is of another version: {found.entrypoint} in {found.work_pool_name}")
        if found.paused or (expected.is_scheduled and not any(each.active for each in found.schedules)):
            return warning(Sentence.schedule_is_paused)
        schedule = "current, its schedule is active" if expected.is_scheduled else "current"
        return plain(Grade.OK, schedule)

    return _look

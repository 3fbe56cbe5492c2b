"""Checks that the parts of the installation fit together: schema, versions, clocks, work pool and deployments."""

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
from models.views.health import Check, Verdict
from services.health.bounded import Probe
from services.health.prefect_servers import prefect_server_probes

_CLOCK_WARNS_S, _CLOCK_IS_WRONG_S = 5, 60

_MIGRATE = "stop cellar, run `cellar migrate`, and start it again"
_VERSIONS = "let server and cellar have the same version of Prefect; `cellar up` starts the server that fits"
_CLOCK = "synchronise the clocks of both machines, for example by systemd-timesyncd or chrony"
_RETENTION = "set PREFECT_SERVER_SERVICES_DB_VACUUM_… on the Prefect server as docs/backup.md says"
_POOL = "start a `cellar worker`: it makes the work pool and its deployments"
_DEPLOY = "start a `cellar worker` of this version: it makes and updates its deployments"


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
    deployments = expected_deployments(prefect_yaml)
    return [
        Probe("schema", _schema, _MIGRATE, needs=(System.DATABASE,)),
        Probe("Prefect version", _versions, _VERSIONS, needs=(System.PREFECT,)),
        *prefect_server_probes(),
        Probe("Prefect clock", _prefect_clock, _CLOCK, needs=(System.PREFECT,)),
        Probe("database clock", _database_clock, _CLOCK, needs=(System.DATABASE,)),
        Probe("Prefect retention", _retention, _RETENTION, needs=(System.PREFECT,)),
        Probe("work pool", _pool, _POOL, needs=(System.PREFECT,)),
        *(Probe(each.name, _deployment(each), _DEPLOY, needs=(System.PREFECT,)) for each in deployments),
    ]


def _schema() -> Check:
    # Alembic is slow to import, for every command.
    from adapters.database.migration import revisions  # noqa: PLC0415

    facts.check_file()
    found = revisions()
    if not found.is_known:
        return Check(name="schema", verdict=Verdict.WRONG, found=found.unknown, to_do=found.advice)
    if found.database != found.newest:
        has = f"revision {found.database}" if found.database else "no tables of cellar"
        raise Transient(f"the database has {has}, this version expects {found.newest}")
    return Check(name="schema", verdict=Verdict.OK, found=f"revision {found.database}, the newest")


def _versions() -> Check:
    ours, theirs = version("prefect"), prefect_facts.server().version
    found = f"the server has {theirs}, cellar has {ours}"
    if ours.split(".")[:2] != theirs.split(".")[:2]:
        raise Transient(found)
    verdict = Verdict.OK if ours == theirs else Verdict.WARNING
    return Check(name="Prefect version", verdict=verdict, found=found, to_do="" if ours == theirs else _VERSIONS)


def _prefect_clock() -> Check:
    return _clock("Prefect clock", prefect_facts.server().ahead_s)


def _database_clock() -> Check:
    told = facts.clock()
    if told is None:
        return Check(name="database clock", verdict=Verdict.OFF, found="a file has no clock of its own")
    return _clock("database clock", (told - datetime.now(UTC)).total_seconds())


def _clock(name: str, ahead_s: float) -> Check:
    found = f"{abs(ahead_s):.0f} s {'ahead of' if ahead_s > 0 else 'behind'} this machine's"
    if abs(ahead_s) > _CLOCK_IS_WRONG_S:
        raise Transient(found)
    if abs(ahead_s) > _CLOCK_WARNS_S:
        return Check(name=name, verdict=Verdict.WARNING, found=found, to_do=_CLOCK)
    return Check(name=name, verdict=Verdict.OK, found="agrees with this machine's")


def _retention() -> Check:
    """Check that the server removes ended runs, and not before cellar stops to link them and to keep their results."""
    kept, ours = prefect_facts.runs_kept_for(), settings().prefect_retention_days
    if kept is None:
        found = "the server keeps ended runs for ever: its database grows without end"
    elif kept != timedelta(days=ours):
        found = f"the server keeps ended runs for {kept.days} days, CELLAR_PREFECT_RETENTION_DAYS is {ours}"
    else:
        found = f"the server keeps ended runs for {ours} days"
        return Check(name="Prefect retention", verdict=Verdict.OK, found=found)
    return Check(name="Prefect retention", verdict=Verdict.WARNING, found=found, to_do=_RETENTION)


def _pool() -> Check:
    pool = prefect_facts.pool()
    if pool is None:
        raise Transient(f"Prefect has no work pool {POOL}")
    if pool.is_paused:
        found, to_do = (
            f"{POOL} is paused: no run starts",
            f"resume it in Prefect's UI, on the page of the work pool {POOL}",
        )
        return Check(name="work pool", verdict=Verdict.WRONG, found=found, to_do=to_do)
    return Check(name="work pool", verdict=Verdict.OK, found=f"{POOL} is there and not paused")


def _deployment(expected: Expected) -> Callable[[], Check]:
    def _look() -> Check:
        found = prefect_facts.deployment(expected.name)
        if found is None:
            raise Transient("Prefect does not have this deployment")
        if (found.entrypoint, found.work_pool_name) != (expected.entrypoint, POOL):
            raise Transient(f"it is of another version: {found.entrypoint} in {found.work_pool_name}")
        if found.paused or (expected.is_scheduled and not any(each.active for each in found.schedules)):
            paused, to_do = "its schedule is paused", "resume it in Prefect's UI, on the page of the deployment"
            return Check(name=expected.name, verdict=Verdict.WARNING, found=paused, to_do=to_do)
        schedule = "current, its schedule is active" if expected.is_scheduled else "current"
        return Check(name=expected.name, verdict=Verdict.OK, found=schedule)

    return _look

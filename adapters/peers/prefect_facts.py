"""Reads from Prefect's REST API how the installation is: server, work pool, workers, deployments, last runs."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel

from adapters.peers.addresses import MOST_BYTES_OF_PREFECT, bounded
from adapters.peers.prefect_api import read, silent, unexpected
from adapters.settings.environment import POOL
from adapters.settings.settings import settings

_TIMEOUT_S = 5
Run = TypeVar("Run", bound=BaseModel)


class Server(BaseModel):
    """A Prefect server. `ahead_s`: by how many seconds its clock is ahead of this machine's."""

    version: str
    ahead_s: float


class Vacuum(BaseModel):
    """The service of a Prefect server that removes ended runs. Prefect's settings take a boolean for old forms."""

    enabled: bool | set[str] | None
    retention_period: timedelta

    @property
    def kept_for(self) -> timedelta | None:
        """How long an ended run is kept; None for ever."""
        removes = self.enabled is True or (isinstance(self.enabled, set) and "flow_runs" in self.enabled)
        return self.retention_period if removes else None


class Pool(BaseModel):
    name: str
    is_paused: bool


class Worker(BaseModel):
    name: str
    status: str | None


class Schedule(BaseModel):
    active: bool


class Deployment(BaseModel):
    entrypoint: str | None
    work_pool_name: str | None
    paused: bool
    schedules: list[Schedule]


class EndedRun(BaseModel):
    state_type: str
    start_time: datetime | None
    end_time: datetime


class PlannedRun(BaseModel):
    expected_start_time: datetime


class RunWithId(BaseModel):
    id: str
    end_time: datetime


class _Events(BaseModel):
    events: list[Any]


class SharedParts(BaseModel):
    """The modules by which a server shares events and leases with other servers, or keeps them in its memory."""

    messaging_broker: str
    messaging_cache: str
    causal_ordering: str
    lease_storage: str


def server() -> Server:
    """Return version and clock of the server.

    Raises Transient if Prefect does not answer. So do all functions of this module.
    """
    answer = answered("GET", "/admin/version")
    try:
        told = parsedate_to_datetime(answer.headers["date"])
    except (KeyError, ValueError):
        told = datetime.now(UTC)
    return Server(version=read(str, answer.content), ahead_s=(told - datetime.now(UTC)).total_seconds())


def runs_kept_for() -> timedelta | None:
    """Return how long the server keeps ended runs; None for ever."""
    return read(Vacuum, _settings_of_server().get("services", {}).get("db_vacuum", {})).kept_for


def pool() -> Pool | None:
    """Return the work pool of cellar; None if it does not exist yet."""
    answer = answered("GET", f"/work_pools/{POOL}")
    return None if _is_missing(answer) else read(Pool, answer.content)


def online_workers() -> list[str]:
    """Return the names of the workers that serve the pool now."""
    answer = answered("POST", f"/work_pools/{POOL}/workers/filter", {})
    workers = [] if _is_missing(answer) else read(list[Worker], answer.content)
    return [each.name for each in workers if each.status == "ONLINE"]


def deployment(name: str) -> Deployment | None:
    """Return a deployment by the name FLOW/DEPLOYMENT; None if it does not exist."""
    answer = answered("GET", f"/deployments/name/{name}")
    return None if _is_missing(answer) else read(Deployment, answer.content)


def last_run(flow: str) -> EndedRun | None:
    """Return the run of a flow that ended last; None if none has ended."""
    ended = {"state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED"]}}}
    return _first_run(EndedRun, ended, "END_TIME_DESC", flows={"name": {"any_": [flow]}})


def next_run(tag: str) -> PlannedRun | None:
    """Return the run with a tag that is due first, or overdue; None if none is planned."""
    planned = {"tags": {"all_": [tag]}, "state": {"type": {"any_": ["SCHEDULED"]}}}
    return _first_run(PlannedRun, planned, "EXPECTED_START_TIME_ASC")


def _first_run(shape: type[Run], wanted: dict[str, Any], order: str, **more: Any) -> Run | None:
    asked = {"flow_runs": wanted, "sort": order, "limit": 1} | more
    runs = read(list[shape], answered("POST", "/flow_runs/filter", asked).content)  # type: ignore[valid-type]
    return runs[0] if runs else None


def shared_parts() -> SharedParts:
    """Return the settings of the server that answers; behind a load balancer, perhaps another one each time."""
    found = _settings_of_server()
    values = found.get("events", {}) | {"lease_storage": found.get("concurrency", {}).get("lease_storage")}
    return read(SharedParts, values)


def _settings_of_server() -> dict[str, Any]:
    found: dict[str, Any] = read(dict[str, Any], answered("GET", "/admin/settings").content).get("server", {})
    return found


def run_ended(after: datetime, before: datetime) -> RunWithId | None:
    """Return the run that ended last between two moments; None if none has."""
    ended = {"end_time": {"after_": after.isoformat(), "before_": before.isoformat()}}
    return _first_run(RunWithId, ended, "END_TIME_DESC")


def has_event_of_end(run: RunWithId) -> bool:
    """Return whether Prefect has recorded the event of the end of a run."""
    return _has_event({"id": [f"prefect.flow-run.{run.id}"]}, run.end_time - timedelta(seconds=1))


def has_event_after(run: RunWithId) -> bool:
    """Return whether Prefect has recorded an event of any run after the end of a run."""
    return _has_event({"id_prefix": ["prefect.flow-run."]}, run.end_time + timedelta(seconds=1))


def _has_event(resource: dict[str, list[str]], since: datetime) -> bool:
    wanted = {"resource": resource, "occurred": {"since": since.isoformat()}}
    return bool(read(_Events, answered("POST", "/events/filter", {"filter": wanted, "limit": 1}).content).events)


def _is_missing(answer: httpx.Response) -> bool:
    """Return whether the object does not exist. A program that is not Prefect has none: it is reported as such.

    Raises Transient if the server does not answer as Prefect's API.
    """
    if answer.status_code != httpx.codes.NOT_FOUND:
        return False
    server()
    return True


def answered(method: str, path: str, body: Any = None, timeout_s: float = _TIMEOUT_S) -> httpx.Response:
    """Return the answer to a request. 404 is an answer: the object does not exist."""
    try:
        with httpx.Client(auth=settings().prefect_auth, **bounded(MOST_BYTES_OF_PREFECT, timeout_s)) as client:
            answer = client.request(method, f"{settings().prefect_url}{path}", json=body)
    except httpx.HTTPError as error:
        raise silent(error) from error
    if answer.is_success or answer.status_code == httpx.codes.NOT_FOUND:
        return answer
    raise unexpected(answer.status_code, f"{method} {path}")

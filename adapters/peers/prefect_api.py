"""Calls Prefect's REST API to trigger runs.

It uses plain HTTP, not Prefect's client: so the receiver starts fast and small, every call has our time-out, and the
client's retries do not multiply those of the sweep.
"""

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import httpx
import stamina
from pydantic import BaseModel, TypeAdapter, ValidationError

from adapters.peers.addresses import MOST_BYTES_OF_PREFECT, bounded_async
from adapters.platform.cancellation import clock
from adapters.settings.settings import settings
from models.errors import System, Transient
from models.runs.receipt import DEFAULT_SOURCE, Identity, Trigger
from models.said import Sentence

DEPLOYMENT = "process-archive/archive"
BATCH_DEPLOYMENT = "drive-batch/batch"
_TIMEOUT_S = 10
# On SQLite, Prefect answers 503 to the creation of a run when another transaction was faster. So a retry is soon.
_BUSY: dict[str, Any] = {"attempts": 11, "timeout": None, "wait_initial": 0.02, "wait_max": 0.05, "wait_jitter": 0.03}
_WAITS = "AwaitingRetry"
_SOON = timedelta(seconds=5)
_ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
_RUNS_PER_REQUEST = 200  # Prefect refuses to list more

_CLOCKS_DIFFER = timedelta(seconds=2)  # an answer tells whole seconds

_deployment_ids: dict[tuple[str, str], str] = {}  # by the URL of the API and the deployment's name
_times: dict[str, float] = {}
"""The time by Prefect's clock at which `clock` was 0, as the last answer told it, by the URL of the API."""


class _Deployment(BaseModel):
    id: str


class _State(BaseModel):
    type: str
    name: str
    message: str | None = None


class _Run(BaseModel):
    id: str
    state: _State
    next_scheduled_start_time: datetime | None = None


class _NotFound(Transient):
    """The requested object does not exist, or does not exist yet."""


class _Busy(Transient):
    """Another transaction was faster."""


_FAILURES: dict[int, type[Transient]] = {404: _NotFound, 503: _Busy}

Shape = TypeVar("Shape")


@dataclass(frozen=True, slots=True)
class FlowRun:
    """A flow run in Prefect. `state` is its name in the UI, `message` the text of the state.

    `waits_until`: the time at which a waiting run is due.
    """

    flow_run_id: str
    state: str
    ended: bool
    message: str = ""
    waits_until: datetime | None = None


def note_time(headers: Mapping[str, str]) -> None:
    """Note what Prefect's clock shows, by the headers of an answer."""
    with suppress(KeyError, ValueError):
        second = parsedate_to_datetime(headers["date"]).timestamp()
        _times[settings().prefect_url] = second + 1 - clock()


def now() -> datetime:
    """Return the time by Prefect's clock, which says when runs are due. It goes on evenly when ours jumps.

    Ours is more exact, and is used as long as the two agree.
    """
    ours, began_s = datetime.now(UTC), _times.get(settings().prefect_url)
    if began_s is None:
        return ours
    theirs = datetime.fromtimestamp(began_s + clock(), UTC)
    return ours if abs(ours - theirs) < _CLOCKS_DIFFER else theirs


async def create_run(
    identity: Identity,
    receipt_id: str,
    attempt: int,
    trigger: Trigger,
    more_tags: Iterable[str] = (),
    *,
    timeout_s: float = _TIMEOUT_S,
) -> FlowRun:
    """Create the run of an attempt at a receipt, or return the existing run. The attempt makes its idempotency key.

    The run has the tags that people search for from the beginning, however early it fails.

    Raises Transient if Prefect is down, slow or hung, or does not have the deployment yet.
    """
    new = {
        "name": identity.reference,
        "parameters": {"reference": identity.reference, "receipt_id": receipt_id},
        "idempotency_key": _key_of(receipt_id, attempt),
        "tags": [*tags_of(identity), f"trigger:{trigger}", *more_tags],
    }
    return await _create(DEPLOYMENT, new, timeout_s)


async def make_due(flow_runs: Iterable[FlowRun]) -> int:
    """Make waiting runs due now, and return how many. A run that is due in 5 s anyway starts by itself.

    A run that a worker took in between, has ended or is deleted stays as it is. Late is the only state that Prefect's
    server gives to scheduled runs alone: any other scheduled state would replace Running or Cancelled too. A run keeps
    the message of its state, which says why it waits, or that it runs alone.
    """
    soon = now() + _SOON
    later = [each for each in flow_runs if each.waits_until and each.waits_until > soon]
    async with _client() as client:
        for run in later:
            due = {"type": "SCHEDULED", "name": "Late", "message": run.message}
            with suppress(_NotFound):
                await _call(dict[str, Any], client, "POST", f"/flow_runs/{run.flow_run_id}/set_state", {"state": due})
    return len(later)


def tags_of(identity: Identity) -> list[str]:
    """Return the tags by which people find the runs of an archive."""
    found = {
        "reference": identity.reference,
        "process": identity.process_number,
        "template": identity.template_id,
        "source": None if identity.source == DEFAULT_SOURCE else identity.source,
    }
    return [f"{name}:{value}" for name, value in found.items() if value is not None]


async def is_attempted(receipt_id: str, attempt: int) -> bool:
    """Return whether Prefect has the run of an attempt at a receipt."""
    wanted = {"flow_runs": {"idempotency_key": {"any_": [_key_of(receipt_id, attempt)]}}, "limit": 1}
    async with _client() as client:
        return bool(await _call(list[_Run], client, "POST", "/flow_runs/filter", wanted))


def _key_of(receipt_id: str, attempt: int) -> str:
    return f"{receipt_id}:{attempt}"


async def read_run(flow_run_id: str) -> FlowRun:
    """Return a run as it is now. Raises Transient if Prefect is down, slow or hung, or does not know the run."""
    async with _client() as client:
        return _flow_run(await _call(_Run, client, "GET", f"/flow_runs/{flow_run_id}"))


async def create_driver(batch_id: str, name: str, number: int) -> FlowRun:
    """Create the flow run that drives a batch, or return the existing run. `number` counts its drivers.

    Raises Transient if Prefect is down, slow or hung, or does not have the deployment yet.
    """
    new = {"name": name, "parameters": {"batch": batch_id}, "idempotency_key": f"{batch_id}:{number}"}
    return await _create(BATCH_DEPLOYMENT, new)


async def emit(event: dict[str, Any]) -> None:
    """Send an event to Prefect. Flows emit theirs by Prefect's client."""
    related: dict[str, Any] = {"related": []}
    worded = {"occurred": event["occurred"].isoformat(), "id": str(event["id"])}
    async with _client() as client:
        await _answered(client, "POST", "/events", [event | worded | related])


def run_url(flow_run_id: str) -> str:
    """Return the address of a run's page in Prefect's UI."""
    return f"{settings().prefect_ui_url}/runs/flow-run/{flow_run_id}"


async def on_their_way(flow_run_ids: Collection[str]) -> set[str]:
    """Return which of these runs have not ended. Runs that Prefect does not know, or no longer knows, are left out."""
    unended = {"state": {"type": {"not_any_": sorted(_ENDED)}}}
    return {run.id for run in await _filtered(flow_run_ids, unended)}


async def known(flow_run_ids: Collection[str]) -> dict[str, FlowRun]:
    """Return those of the runs that Prefect knows, by id."""
    return {run.id: _flow_run(run) for run in await _filtered(flow_run_ids, {})}


async def is_healthy() -> bool:
    async with _client() as client:
        try:
            return (await client.get("/health")).is_success
        except httpx.HTTPError:
            return False


async def _filtered(flow_run_ids: Collection[str], conditions: dict[str, Any]) -> list[_Run]:
    asked, found = list(flow_run_ids), list[_Run]()
    async with _client() as client:
        for first in range(0, len(asked), _RUNS_PER_REQUEST):
            these = {"id": {"any_": asked[first : first + _RUNS_PER_REQUEST]}}
            wanted = {"flow_runs": these | conditions, "limit": _RUNS_PER_REQUEST}
            found += await _call(list[_Run], client, "POST", "/flow_runs/filter", wanted)
    return found


def _flow_run(run: _Run) -> FlowRun:
    waits_until = run.next_scheduled_start_time if run.state.name == _WAITS else None
    return FlowRun(run.id, run.state.name, run.state.type in _ENDED, run.state.message or "", waits_until)


async def _create(deployment: str, new: dict[str, Any], timeout_s: float = _TIMEOUT_S) -> FlowRun:
    """Create a run of a deployment. Its id is looked up once, and again after the deployment was replaced."""
    known_id = _deployment_ids.get((settings().prefect_url, deployment))
    async with _client(timeout_s) as client:
        if known_id:
            with suppress(_NotFound):
                return await _create_run_of(known_id, client, new)
        return await _create_run_of(await _look_up_deployment(client, deployment), client, new)


async def _create_run_of(deployment_id: str, client: httpx.AsyncClient, new: dict[str, Any]) -> FlowRun:
    return _flow_run(await _call(_Run, client, "POST", f"/deployments/{deployment_id}/create_flow_run", new))


async def _look_up_deployment(client: httpx.AsyncClient, name: str) -> str:
    deployment = await _call(_Deployment, client, "GET", f"/deployments/name/{name}")
    _deployment_ids[settings().prefect_url, name] = deployment.id
    return deployment.id


async def _call(
    shape: type[Shape], client: httpx.AsyncClient, method: str, path: str, body: dict[str, Any] | None = None
) -> Shape:
    async for attempt in stamina.retry_context(_Busy, **_BUSY):
        with attempt:
            content = await _answered(client, method, path, body)
    return read(shape, content)


async def _answered(client: httpx.AsyncClient, method: str, path: str, body: Any) -> bytes:
    try:
        answer = await client.request(method, path, json=body)
    except httpx.HTTPError as error:
        raise silent(error) from error
    note_time(answer.headers)
    if answer.is_success:
        return answer.content
    raise unexpected(answer.status_code, f"{method} {path}")


def silent(error: Exception) -> Transient:
    """Return the error of a Prefect that does not answer."""
    reason = Sentence.prefect_silent(url=settings().prefect_ui_url, reason=type(error).__name__)
    return Transient(reason, system=System.PREFECT)


def unexpected(status: int, asked: str) -> Transient:
    """Return the error of a Prefect that answers a request with a status that nobody expects."""
    reason = Sentence.prefect_answered(url=settings().prefect_ui_url, status=status, asked=asked)
    return _FAILURES.get(status, Transient)(reason, system=System.PREFECT)


def read(shape: type[Shape], answer: bytes | dict[str, Any]) -> Shape:
    """Return an answer, or a part of one, as a type of pydantic's. Raises Transient if Prefect would not say it."""
    reader = TypeAdapter(shape)
    try:
        return reader.validate_python(answer) if isinstance(answer, dict) else reader.validate_json(answer)
    except ValidationError:
        raise Transient(Sentence.prefect_no_api(url=settings().prefect_ui_url), system=System.PREFECT) from None


def _client(timeout_s: float = _TIMEOUT_S) -> httpx.AsyncClient:
    options = bounded_async(MOST_BYTES_OF_PREFECT, timeout_s)
    return httpx.AsyncClient(base_url=settings().prefect_url, auth=settings().prefect_auth, **options)

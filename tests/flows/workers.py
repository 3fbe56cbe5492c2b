"""Workers as separate processes, and a downstream system that delays its answers for as long as a test wants."""

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from prefect import Flow
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import FlowFilter, FlowFilterId
from prefect.exceptions import ObjectAlreadyExists
from pytest_httpserver import HTTPServer
from sqlmodel import select
from werkzeug import Request, Response

from adapters.database.transactions import reading
from adapters.settings.environment import POOL, prefect_defaults, prefect_environment, settings_environment
from adapters.settings.settings import settings
from flows.execution.results import saved_block
from flows.process_archive import process_archive
from flows.worker.worker import Worker
from models.runs.receipt import Leased, LeaseRow
from tests.conftest import LONGEST_S, running, wait_until

ROOT = Path(__file__).parents[2]


class Downstream:
    """Answers at once, or holds every request until it is released."""

    def __init__(self, server: HTTPServer) -> None:
        self.url = server.url_for("/hook")
        self.asked: list[str] = []
        self._may_answer = threading.Event()
        self._may_answer.set()
        server.expect_request("/hook").respond_with_handler(self._answer)

    def hold(self) -> None:
        self._may_answer.clear()

    def let_go(self) -> None:
        self._may_answer.set()

    def _answer(self, request: Request) -> Response:
        self.asked.append(request.headers["webhook-id"])
        self._may_answer.wait(LONGEST_S)
        return Response(status=200)


@contextmanager
def worker(
    name: str, *options: str, prefect_url: str | None = None, output: Path | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run `cellar worker` for the installation of the test. It is online when the block begins."""
    command = [sys.executable, "-m", "cli.main", "worker", "--name", name, *options]
    _log(name).touch()
    began = datetime.now(UTC)  # Prefect shows a worker of an earlier test, with the same name, as online for a while
    with _program(command, output or _log(name), prefect_url) as process:
        wait_until(lambda: is_online(name, since=began) or process.poll() is not None)
        assert process.poll() is None, log_of(name)
        yield process


async def make_pool(client: PrefectClient) -> None:
    with suppress(ObjectAlreadyExists):
        await client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))


@asynccontextmanager
async def worker_here(client: PrefectClient, flow: Flow[..., Any] = process_archive) -> AsyncIterator[UUID]:
    """Run a worker inside this process, for one flow alone. Yields the id of its only deployment, `archive`.

    Workers of earlier tests have left schedules. Their due runs would do the work of this test's runs.
    """
    await make_pool(client)
    flow_id = await client.create_flow(flow)
    for each in await client.read_deployments(flow_filter=FlowFilter(id=FlowFilterId(any_=[flow_id]))):
        await client.delete_deployment(each.id)
    made = await client.create_deployment(flow_id, "archive", work_pool_name=POOL, entrypoint="flows.process_archive")
    here = Worker(client, "here", {flow_id: flow.with_options(result_storage=await saved_block())})
    await here.join(sole=False)
    stop = asyncio.Event()
    working = asyncio.create_task(here.work_until(asyncio.create_task(stop.wait())))  # type: ignore[arg-type]
    try:
        yield made
    finally:
        stop.set()
        await working
        await here.drain(asyncio.create_task(asyncio.sleep(0)))


@contextmanager
def stock_worker(name: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run Prefect's own process worker on our pool."""
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "cellar", "--name", name]
    with _program(command, _log(name), None) as process:
        wait_until(lambda: is_online(name) or process.poll() is not None)
        yield process


@contextmanager
def _program(command: list[str], output: Path, prefect_url: str | None) -> Iterator["subprocess.Popen[bytes]"]:
    environment = prefect_defaults() | os.environ | settings_environment(settings()) | prefect_environment(settings())
    environment |= {"PYTHONPATH": str(ROOT)} | ({"PREFECT_API_URL": prefect_url} if prefect_url else {})
    with running(command, environment, output) as process:
        yield process


def _log(name: str) -> Path:
    folder = settings().data_dir.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}.log"


def living() -> dict[str, datetime]:
    """Return when the lease of each worker expires that has neither signed off nor been found dead."""
    with reading() as session:
        found = session.exec(select(LeaseRow).where(LeaseRow.kind == Leased.WORKER))
        return {each.subject: each.expires_at for each in found}


def log_of(name: str) -> str:
    return _log(name).read_text()


def is_online(name: str, since: datetime | None = None) -> bool:
    """Whether Prefect shows a worker as online that has shown itself after `since`."""
    answer = _prefect("/work_pools/cellar/workers/filter", {})
    return answer.is_success and any(
        each["name"] == name
        and each["status"] == "ONLINE"
        and (since is None or datetime.fromisoformat(each["last_heartbeat_time"]) > since)
        for each in answer.json()
    )


def create_run(reference: str, receipt_id: str | None = None, *tags: str) -> str:
    """Create a run of the deployment, as Run in the UI does. Return its id."""
    known = httpx.get(f"{settings().prefect_url}/deployments/name/process-archive/archive", timeout=LONGEST_S).json()
    parameters = {"reference": reference} | ({"receipt_id": receipt_id} if receipt_id else {})
    made = _prefect(f"/deployments/{known['id']}/create_flow_run", {"parameters": parameters, "tags": tags})
    assert made.is_success, made.text
    run_id: str = made.json()["id"]
    return run_id


def forget_runs() -> None:
    """Delete due runs that other tests have left. A worker would execute them first."""
    due = {"state": {"type": {"any_": ["SCHEDULED"]}}}
    while _prefect("/flow_runs/bulk_delete", {"flow_runs": due}).raise_for_status().json()["deleted"]:
        pass


def run_of(flow_run_id: str) -> dict[str, Any]:
    """Return a run. A Prefect server that is busy answers some requests with a server error, and later ones well."""
    deadline = time.monotonic() + LONGEST_S
    while (answer := httpx.get(f"{settings().prefect_url}/flow_runs/{flow_run_id}", timeout=LONGEST_S)).is_server_error:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.1)
    run: dict[str, Any] = answer.raise_for_status().json()
    return run


def state_of(flow_run_id: str) -> str:
    state: str = run_of(flow_run_id)["state_name"]
    return state


def set_state(flow_run_id: str, state: str) -> None:
    _prefect(f"/flow_runs/{flow_run_id}/set_state", {"state": {"type": state}}).raise_for_status()


def task_states(flow_run_id: str) -> dict[str, list[str]]:
    """Return the states of the task runs by name of the task without its number, earliest first."""
    found = _prefect("/task_runs/filter", {"flow_runs": {"id": {"any_": [flow_run_id]}}}).json()
    states: dict[str, list[str]] = {}
    for each in sorted(found, key=lambda run: str(run["expected_start_time"])):
        states.setdefault(each["name"].rpartition("-")[0], []).append(each["state_name"])
    return states


def wait_for(flow_run_id: str, *states: str, timeout_s: float = LONGEST_S) -> None:
    deadline = time.monotonic() + timeout_s
    while (found := state_of(flow_run_id)) not in states:
        assert time.monotonic() < deadline, f"{found} after {timeout_s} s, expected {states}"
        time.sleep(0.1)


def _prefect(path: str, body: dict[str, Any]) -> httpx.Response:
    return httpx.post(f"{settings().prefect_url}{path}", json=body, timeout=LONGEST_S)

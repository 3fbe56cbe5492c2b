"""The worker: a stock process worker of Prefect on the pool `cellar`, which runs each flow run in a process of its own.

`serve` is all that the rest of cellar knows of it.
"""

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import StateType
from prefect.exceptions import ObjectAlreadyExists
from prefect.states import Crashed
from prefect.workers.process import ProcessWorker

from adapters import store
from adapters.environment import POOL
from adapters.processes import adopt_orphans, end_children
from models.errors import Transient

_API_WITHIN_S = 90
_LOOK_AGAIN_S = 0.2
_RUNS_END_WITHIN_S = 8
_GIVE_UP_AFTER_S = 15
_RUNS_PER_PAGE = 200
_LEFTOVER_AFTER = timedelta(days=1)  # no file takes so long to write and upload


async def serve(name: str, *, sole: bool) -> None:
    """Make work pool and deployment where they are missing, then run flow runs until SIGTERM or SIGINT.

    Args:
        name: names the worker in Prefect; a worker of the same name takes its place.
        sole: no other worker serves the pool, so runs that are in the middle belong to a worker that was killed.

    Raises:
        Transient: Prefect does not answer, or refuses the deployment.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    adopt_orphans()
    store.remove_leftovers(datetime.now(UTC) - _LEFTOVER_AFTER)
    work = asyncio.create_task(_work(name, sole))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    # Prefect's client may hang at a server that is gone; the kernel then ends this process.
    signal.alarm(_GIVE_UP_AFTER_S)
    # Before the worker: it kills what it runs without a word to Prefect, where the run would be Running for ever.
    await end_children(within_s=_RUNS_END_WITHIN_S)
    if work.done():
        await work
    work.cancel()
    await asyncio.wait({work})


async def _work(name: str, sole: bool) -> None:
    async with get_client() as client:
        await _until_answered(client)
        await _make_pool(client)
        if sole:
            await _end_dead_runs(client)
    # First: after an upgrade the runs that wait must find the new entry point.
    await _deploy()
    await ProcessWorker(name=name, work_pool_name=POOL, limit=2 * (os.cpu_count() or 1)).start(printer=_say_nothing)


async def _until_answered(client: PrefectClient) -> None:
    deadline = time.monotonic() + _API_WITHIN_S
    while failure := await client.api_healthcheck():
        if time.monotonic() >= deadline:
            raise Transient(f"Prefect at {client.api_url} does not answer: {failure}") from failure
        await asyncio.sleep(_LOOK_AGAIN_S)


async def _make_pool(client: PrefectClient) -> None:
    template = ProcessWorker.get_default_base_job_template()
    try:
        await client.create_work_pool(WorkPoolCreate(name=POOL, type=ProcessWorker.type, base_job_template=template))
    except ObjectAlreadyExists:
        return


async def _end_dead_runs(client: PrefectClient) -> None:
    """Set runs to Crashed that a killed worker has left in the middle. Nothing in Prefect's server does that."""
    unended = FlowRunFilterStateType(any_=[StateType.PENDING, StateType.RUNNING, StateType.CANCELLING])
    while runs := await client.read_flow_runs(
        flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=unended)),
        work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[POOL])),
        limit=_RUNS_PER_PAGE,
    ):
        for run in runs:
            await client.set_flow_run_state(run.id, Crashed(message="Its worker was killed."), force=True)


async def _deploy() -> None:
    """Make or update the deployment as `prefect.yaml` says, by Prefect's own command: one truth, read by one reader."""
    prefect = [sys.executable, "-P", "-m", "prefect", "--no-prompt"]
    deploy = ["deploy", "--all", "--prefect-file", str(_prefect_file())]
    process = await asyncio.create_subprocess_exec(*prefect, *deploy, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT)
    output, _ = await process.communicate()
    if process.returncode:
        raise Transient(f"Prefect refused the deployment:\n{output.decode(errors='replace')}")


def _say_nothing(_: str) -> None:
    """Take the place of `print` in Prefect's worker."""


def _prefect_file() -> Path:
    """Return the place of `prefect.yaml`: in this package when installed from a wheel, else at the project's root."""
    packaged = Path(__file__).with_name("prefect.yaml")
    return packaged if packaged.exists() else Path(__file__).parents[1] / "prefect.yaml"

"""The work pool `cellar`: makes it and its deployments; finds its due and cancelled runs; takes runs."""

import asyncio
import time
from collections.abc import Collection
from contextlib import suppress
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from prefect.cli.deploy._config import _load_deploy_configs_and_actions
from prefect.cli.deploy._core import _run_multi_deploy
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas import filters
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.responses import OrchestrationResult, SetStateStatus, WorkerFlowRunResponse
from prefect.deployments.runner import DeploymentApplyError
from prefect.deployments.steps.core import StepExecutionError
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.states import Pending
from prefect.workers.process import ProcessWorker
from rich.console import Console

from adapters.peers import prefect_api
from adapters.settings.environment import POOL
from adapters.settings.settings import settings
from models.errors import Transient

log = structlog.get_logger()

_API_WITHIN_S = 90
_SAID_EACH_S = 15
_LOOK_AGAIN_S = 0.2
RUNS_PER_PAGE = 200
_TAKEN = "Taken by a worker of cellar."


async def until_answered() -> None:
    """Wait for a Prefect server that starts beside this process. Log that it waits, and again every 15 s.

    Raises Transient if the server does not answer in time.
    """
    began = time.monotonic()
    next_line_s = 0.0
    async with get_client() as client:
        while failure := await client.api_healthcheck():
            waited_s = time.monotonic() - began
            if waited_s >= _API_WITHIN_S:
                outage = f"Prefect at {settings().prefect_ui_url} does not answer within {_API_WITHIN_S} s"
                what_to_do = "start it, or check PREFECT_API_URL"
                raise Transient(f"{outage}: {type(failure).__name__}; {what_to_do}") from failure
            if waited_s >= next_line_s:
                why = type(failure).__name__  # its text may repeat user and password of the URL
                log.warning("the worker waits for Prefect", url=settings().prefect_ui_url, why=why)
                next_line_s += _SAID_EACH_S
            await asyncio.sleep(_LOOK_AGAIN_S)


async def set_up(client: PrefectClient) -> None:
    """Make or update the pool and its deployments. They suit Prefect's own process worker, which may serve them too.

    The pool has no job template, which Prefect's server would check whenever it creates a run. Then a process worker
    takes the template of its own kind.

    Raises Transient if Prefect refuses the deployments.
    """
    with suppress(ObjectAlreadyExists):
        await client.create_work_pool(WorkPoolCreate(name=POOL, type=ProcessWorker.type))
    await _deploy()


async def due_runs(client: PrefectClient, limit: int, after: datetime | None = None) -> list[FlowRun]:
    """Return the runs that are due, oldest first; with `after`, only those due from that time on."""
    # The client's own method cannot ask for fewer than 200 runs.
    asked = {"limit": limit, "scheduled_before": prefect_api.now().isoformat()}
    answer = await client.request(
        "POST",
        "/work_pools/{name}/get_scheduled_flow_runs",
        path_params={"name": POOL},
        json=asked | ({"scheduled_after": after.isoformat()} if after else {}),
    )
    prefect_api.note_time(answer.headers)
    return [each.flow_run for each in WorkerFlowRunResponse.model_validate_list(answer.json())]


async def scheduled_runs(client: PrefectClient, flow_run_ids: Collection[str]) -> list[FlowRun]:
    """Return the runs among `flow_run_ids` that no worker has begun."""
    return await _runs_in(client, [StateType.SCHEDULED], [UUID(each) for each in flow_run_ids])


async def take(client: PrefectClient, flow_run_id: UUID) -> bool:
    """Propose Pending for a run and return whether Prefect accepts it. It accepts the proposal of only one worker."""
    answer: OrchestrationResult[Any] = await client.set_flow_run_state(flow_run_id, Pending(message=_TAKEN))
    # When an answer is lost, Prefect's client repeats the request by itself. The server recognises the repetition and
    # answers REJECT with the state of the run. For a run that another worker took, the server answers ABORT.
    is_repeated = answer.status is SetStateStatus.REJECT and answer.state is not None and answer.state.is_pending()
    return answer.status is SetStateStatus.ACCEPT or is_repeated


async def is_taken_by_us(client: PrefectClient, flow_run_id: UUID) -> bool:
    """Return whether the last worker that took a run was a worker of cellar, and not a stock worker."""
    taken = [state for state in await client.read_flow_run_states(flow_run_id) if state.is_pending()]
    return bool(taken) and taken[-1].message == _TAKEN


async def cancelled_runs(client: PrefectClient, flow_run_ids: Collection[UUID]) -> list[FlowRun]:
    """Return the runs among `flow_run_ids` that are Cancelling or Cancelled in Prefect."""
    return await _runs_in(client, [StateType.CANCELLING, StateType.CANCELLED], list(flow_run_ids))


async def unended_runs(client: PrefectClient, flow_name: str) -> list[FlowRun]:
    """Return the runs of a flow that a worker executes, or has abandoned."""
    return await _runs_in(client, [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING], flow_name=flow_name)


async def _runs_in(
    client: PrefectClient, types: list[StateType], flow_run_ids: list[UUID] | None = None, flow_name: str | None = None
) -> list[FlowRun]:
    """Return the runs in states of these types, however many pages they take."""
    found: dict[UUID, FlowRun] = {}
    while True:
        page = await client.read_flow_runs(
            flow_filter=filters.FlowFilter(name=filters.FlowFilterName(any_=[flow_name])) if flow_name else None,
            flow_run_filter=filters.FlowRunFilter(
                # An offset would skip as many runs as have left these states since the last page.
                id=filters.FlowRunFilterId(any_=flow_run_ids, not_any_=list(found)),
                state=filters.FlowRunFilterState(type=filters.FlowRunFilterStateType(any_=types)),
            ),
            work_pool_filter=filters.WorkPoolFilter(name=filters.WorkPoolFilterName(any_=[POOL])),
            limit=RUNS_PER_PAGE,
        )
        found |= {each.id: each for each in page}
        if len(page) < RUNS_PER_PAGE:
            return list(found.values())


async def drop_late_runs(deployment: str) -> None:
    """Delete the runs of a schedule that became due while no worker ran: a single run does the work of all of them.

    A step of deployments, see `prefect.yaml`.
    """
    async with get_client() as client:
        with suppress(ObjectNotFound):
            known = await client.read_deployment_by_name(deployment)
            # This request deletes all scheduled runs. The client's `pause_deployment` keeps the late runs.
            await client.request("POST", "/deployments/{id}/pause_deployment", path_params={"id": known.id})
            await client.resume_deployment(known.id)


async def _deploy() -> None:
    """Make or update the deployments of `prefect.yaml`, by the functions of Prefect's own command, so that the file has
    one reader. The command itself would import Prefect and all flows again, which takes as long as the worker's start.
    """
    output = Console(file=StringIO())
    found, actions = _load_deploy_configs_and_actions(_prefect_file(), console=output)
    deploying = asyncio.create_task(
        _run_multi_deploy(found, actions, deploy_all=True, console=output, is_interactive=lambda: False)
    )
    try:
        await asyncio.shield(deploying)
    except asyncio.CancelledError:
        await asyncio.wait([deploying])  # half a deployment is of no use
        raise
    except (ValueError, StepExecutionError, DeploymentApplyError) as error:
        raise Transient(f"Prefect refused the deployment: {error.__cause__ or error}") from error


def _prefect_file() -> Path:
    """Return the path of `prefect.yaml`: in this package when installed from a wheel, else at the project's root."""
    packaged = Path(__file__).parents[1] / "prefect.yaml"
    return packaged if packaged.exists() else Path(__file__).parents[2] / "prefect.yaml"

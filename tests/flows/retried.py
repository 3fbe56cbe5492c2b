"""Runs an archive by a worker, and again by Retry, as a person does in Prefect's UI."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from prefect.client.orchestration import PrefectClient, get_client
from prefect.states import AwaitingRetry
from sqlmodel import col, select

from models.runs.receipt import TaskResultRow
from tests.conftest import wait_until
from tests.flows import workers
from tests.flows.conftest import received
from tests.records import all_of
from tests.samples import sample_body


def kept(flow_run_id: str | None = None) -> list[tuple[str, str]]:
    """Return results by run and name, of one run if given: a worker may execute runs that other tests have left."""
    found = all_of(select(TaskResultRow).order_by(col(TaskResultRow.flow_run_id), col(TaskResultRow.name)))
    return [(each.flow_run_id, each.name) for each in found if flow_run_id in (None, each.flow_run_id)]


async def run_and_retried(
    reference: str, ends: str, in_between: Callable[[], None] = lambda: None, *, again: str = "Completed"
) -> dict[str, list[str]]:
    """Return the states of the task runs of a run that a worker has executed, and again after Retry in the UI."""
    workers.forget_runs()
    delivery = received(reference, sample_body(reference))
    parameters = {"reference": reference, "receipt_id": delivery.receipt_id}
    async with get_client() as client, workers.worker_here(client) as deployment_id:
        flow_run = await client.create_flow_run_from_deployment(deployment_id, parameters=parameters)
        await _reached(client, flow_run.id, ends, run_count=1)
        in_between()
        await client.set_flow_run_state(flow_run.id, AwaitingRetry(scheduled_time=datetime.now(UTC)), force=True)
        await _reached(client, flow_run.id, again, run_count=2)
        run_id = str(flow_run.id)
        await asyncio.to_thread(wait_until, lambda: _have_ended(workers.task_states(run_id)))
        return workers.task_states(run_id)


async def _reached(client: PrefectClient, flow_run_id: UUID, state: str, run_count: int) -> None:
    """Wait for the state, and then for the removal of the results."""
    for _ in range(600):
        flow_run = await client.read_flow_run(flow_run_id)
        has_ended = (flow_run.state_name, flow_run.run_count) == (state, run_count)
        if has_ended and (state != "Completed" or not kept(str(flow_run_id))):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{flow_run.state_name} in attempt {flow_run.run_count}, expected {state} in {run_count}")


def _have_ended(states: dict[str, list[str]]) -> bool:
    """Return whether all task runs have ended on Prefect's server, where they arrive late."""
    return len(states) == 4 and all(len(each) == 2 and "Running" not in each for each in states.values())

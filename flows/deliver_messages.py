"""The flow `deliver-messages`: goes on delivering the messages that their endpoints have not confirmed.

A scheduled run finds the endpoints that have something due, and starts a run for each. An endpoint that hangs holds its
own run, which occupies no slot, and delays no other endpoint.
"""

from collections.abc import Collection
from datetime import UTC, datetime
from uuid import UUID

from prefect import flow, get_run_logger
from prefect.artifacts import acreate_markdown_artifact
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import StateType
from prefect.runtime import flow_run

from adapters.database.transactions import pages
from adapters.platform.cancellation import in_thread
from adapters.tables.runs import runs
from flows.execution.attempts import without_text
from flows.execution.engine import leave_slot
from flows.execution.late_runs import drop_late_runs_of
from flows.execution.results import RESULTS
from flows.execution.summaries import optional_summary
from flows.execution.undelivered import RUNS_AT_ONCE, settle, settle_all, undelivered_runs
from models.messages.notification import NotificationState
from services.messages.deliveries import Delivered, deliver_due, due_endpoints, give_up_expired
from services.messages.endpoints import keep_disabled
from services.redelivery.confirming import complete_confirmed

DEPLOYMENT = "deliver-messages/scheduled"
_UNENDED = [StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING]


@flow(name="deliver-messages", result_storage=RESULTS, persist_result=False)
@without_text
async def deliver_messages(endpoint: str | None = None) -> None:
    """Deliver the messages to an endpoint that are due, or start such a run for each endpoint that has any.

    Args:
        endpoint: The name of an endpoint. None: all endpoints, each in a run of its own.
    """
    if endpoint is None:
        await _start_runs()
    else:
        await _deliver(endpoint)


async def _start_runs() -> None:
    log = get_run_logger()
    await in_thread(complete_confirmed)
    now = datetime.now(UTC)
    log.info("%d messages are given up", len(await give_up_expired(now)))
    names = await due_endpoints(now)
    for each in await in_thread(keep_disabled):
        log.error("The endpoint %s is disabled; see `cellar endpoints show NAME`", each)
    async with get_client() as client:
        started = await _start_missing_runs(client, names) if names else 0
        log.info("%d endpoints have messages to send; %d runs are started", len(names), started)
        log.info("%d runs are delivered now", await settle_all(client))


async def _start_missing_runs(client: PrefectClient, names: Collection[str]) -> int:
    """Start a run for each endpoint that has none. Two runs of an endpoint would share its messages, and send none
    twice.
    """
    deployment = await client.read_deployment_by_name(DEPLOYMENT)
    unended = FlowRunFilter(
        tags=FlowRunFilterTags(any_=[_tag(each) for each in names]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=_UNENDED)),
    )
    running = {each.parameters.get("endpoint") for each in await client.read_flow_runs(flow_run_filter=unended)}
    missing = [each for each in names if each not in running]
    for each in missing:
        await client.create_flow_run_from_deployment(
            deployment.id, parameters={"endpoint": each}, name=f"deliver to {each}", tags=[_tag(each)]
        )
    return len(missing)


def _tag(endpoint: str) -> str:
    return f"endpoint:{endpoint}"


async def _deliver(endpoint: str) -> None:
    leave_slot()
    delivered = await deliver_due(endpoint)
    counts = {state.value: delivered.by_state[state] for state in NotificationState}
    get_run_logger().info("Endpoint %s: %s", endpoint, counts)
    await _publish(endpoint, delivered)
    flow_run_ids = await in_thread(runs.ids_of_receipts, delivered.receipt_ids)
    async with get_client() as client:
        for page in pages(map(UUID, flow_run_ids), RUNS_AT_ONCE):
            await settle(client, await undelivered_runs(client, page))


async def _publish(endpoint: str, delivered: Delivered) -> None:
    rows = "\n".join(f"| {state.value} | {delivered.by_state[state]} |" for state in NotificationState)
    markdown = f"## Messages to `{endpoint}`\n\n| state after the attempt | attempts |\n| --- | --- |\n{rows}\n"
    with optional_summary():
        await acreate_markdown_artifact(markdown, key=f"messages-{_key(endpoint)}", description=f"Run {flow_run.id}")


def _key(endpoint: str) -> str:
    return "".join(each if each.isascii() and each.isalnum() else "-" for each in endpoint.lower())


async def drop_late_runs() -> None:
    """Delete the runs that became due while no worker ran. A step of the deployment, see `prefect.yaml`."""
    await drop_late_runs_of(DEPLOYMENT)

"""The flow `deliver-messages`: goes on delivering the messages that their endpoints have not confirmed.

A scheduled run finds the endpoints that have something due, and starts a run for each. An endpoint that hangs holds its
own run, which occupies no slot, and delays no other endpoint.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from prefect import flow, get_run_logger
from prefect.artifacts import acreate_markdown_artifact
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.runtime import flow_run
from prefect.states import Completed

from adapters.database.transactions import pages
from adapters.platform.cancellation import in_thread
from adapters.tables.messages import notifications
from adapters.tables.runs import runs
from domain.messages.summaries import UNDELIVERED, UNDELIVERED_TAG, undelivered_text
from flows.execution.engine import leave_slot
from flows.execution.reporting import optional_summary
from flows.execution.results import RESULTS, remove_results_of
from flows.execution.tasks import without_text
from models.messages.notification import NotificationState
from services.messages.deliveries import Delivered, deliver_due, due_endpoints, give_up_expired
from services.messages.endpoints import keep_disabled

RUNS_AT_ONCE = 200
DEPLOYMENT = "deliver-messages/scheduled"
_COUNTS_FOR = timedelta(hours=1)
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
    now = datetime.now(UTC)
    log.info("%d messages are given up", len(await give_up_expired(now)))
    names = await due_endpoints(now)
    for each in await in_thread(keep_disabled):
        log.error("The endpoint %s is disabled; see `cellar endpoints show NAME`", each)
    async with get_client() as client:
        started = await start_missing_runs(client, names) if names else 0
        log.info("%d endpoints have messages to send; %d runs are started", len(names), started)
        log.info("%d runs are delivered now", await settle_all(client))


async def start_missing_runs(client: PrefectClient, names: Collection[str]) -> int:
    """Start a run for each endpoint that has none. Two runs of an endpoint share its messages, and send none twice.

    A run that was due more than an hour ago is ignored: a killed stock worker leaves its run Running forever.
    """
    deployment = await client.read_deployment_by_name(DEPLOYMENT)
    unended = FlowRunFilter(
        tags=FlowRunFilterTags(any_=[_tag(each) for each in names]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=_UNENDED)),
        expected_start_time=FlowRunFilterExpectedStartTime(after_=datetime.now(UTC) - _COUNTS_FOR),
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


async def undelivered_runs(
    client: PrefectClient, among: Collection[UUID] | None = None, offset: int = 0
) -> list[FlowRun]:
    """Return the runs that ended with messages that were not confirmed: 200 of all, oldest first, after `offset` of
    them; or those among at most 200.
    """
    ids = FlowRunFilterId(any_=list(among)) if among is not None else None
    wanted = FlowRunFilter(id=ids, tags=FlowRunFilterTags(all_=[UNDELIVERED_TAG]))
    oldest_first = FlowRunSort.START_TIME_ASC
    return await client.read_flow_runs(flow_run_filter=wanted, sort=oldest_first, limit=RUNS_AT_ONCE, offset=offset)


async def settle_all(client: PrefectClient) -> int:
    """Settle all runs that are Undelivered, also behind runs whose messages were given up. Returns as `settle` does."""
    settled = left = 0
    while found := await undelivered_runs(client, offset=left):
        done = await settle(client, found)
        settled, left = settled + done, left + len(found) - done
    return settled


async def settle(client: PrefectClient, flow_runs: Iterable[FlowRun]) -> int:
    """Give runs the state that follows from their messages, and return the number of runs whose messages are confirmed.

    Such a run becomes Completed, its results are removed, and its tag goes last: the next call completes what a killed
    process has left. A run that is tried again is left alone.
    """
    ended = [each for each in flow_runs if each.state and each.state.is_completed()]
    receipt_ids = await in_thread(runs.receipts_of, [str(each.id) for each in ended])
    settled = 0
    for each in ended:
        messages = await in_thread(notifications.of_receipt, receipt_ids.get(str(each.id), ""))
        text = undelivered_text(messages)
        if text is None:
            await _complete(client, each)
            settled += 1
        elif each.state and each.state.message != text:
            await client.set_flow_run_state(each.id, Completed(name=UNDELIVERED, message=text), force=True)
    return settled


async def _complete(client: PrefectClient, flow_run: FlowRun) -> None:
    if flow_run.state and flow_run.state.name == UNDELIVERED:
        await client.set_flow_run_state(flow_run.id, Completed(message="All its messages are confirmed."), force=True)
    await remove_results_of(str(flow_run.id))
    await client.update_flow_run(flow_run.id, tags=[each for each in flow_run.tags if each != UNDELIVERED_TAG])

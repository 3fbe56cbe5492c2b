"""The flow `deliver-messages`: goes on delivering the messages that their endpoints have not confirmed.

A scheduled run finds the endpoints that have something due, and starts a run for each. An endpoint that hangs holds its
own run, which occupies no slot, and delays no other endpoint.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas import filters
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.runtime import flow_run
from prefect.states import Completed

from adapters.database.transactions import pages
from adapters.platform.cancellation import in_thread
from adapters.tables.messages import notifications
from adapters.tables.runs import runs
from domain.messages.summaries import UNDELIVERED, UNDELIVERED_TAG, undelivered_text
from flows.execution.engine import BY_ITSELF, done_by, leave_slot
from flows.execution.results import remove_results_of
from flows.execution.tasks import counted, name_run, of_cellar
from models.messages.notification import NotificationState
from services.messages.deliveries import deliver_due, due_endpoints, give_up_expired
from services.messages.endpoints import keep_disabled

RUNS_AT_ONCE = 200
DEPLOYMENT = "deliver-messages/scheduled"
_COUNTS_FOR = timedelta(hours=1)
_UNENDED = [StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING]
_VERBS = {
    NotificationState.DELIVERED: "delivered",
    NotificationState.PENDING: "could not deliver",
    NotificationState.DEAD: "gave up",
    NotificationState.SKIPPED: "skipped",
}


@of_cellar("deliver-messages", lambda: f"deliver to {flow_run.parameters.get('endpoint') or 'endpoints'}")
async def deliver_messages(endpoint: str | None = None) -> None:
    """Deliver the messages to an endpoint that are due, or start such a run for each endpoint that has any.

    Args:
        endpoint: The name of an endpoint. None: all endpoints, each in a run of its own.
    """
    await name_run(await done_by(deliver, endpoint))


async def deliver(endpoint: str | None = None) -> list[str]:
    """Deliver as `deliver_messages` says, and return what that did. Runs that it starts say so themselves."""
    return await (_start_runs() if endpoint is None else _deliver(endpoint))


async def _start_runs() -> list[str]:
    now = datetime.now(UTC)
    given_up = len(await give_up_expired(now))
    names = await due_endpoints(now)
    disabled = await in_thread(keep_disabled)
    async with get_client() as client:
        if names:
            await start_missing_runs(client, names)
        settled = await settle_all(client)
    did = [f"gave up {counted(given_up, 'message')}"] if given_up else []
    did += [f"disabled {each}" for each in disabled]
    return did + ([f"completed {counted(settled, 'undelivered run')}"] if settled else [])


async def start_missing_runs(client: PrefectClient, names: Collection[str]) -> int:
    """Start a run for each endpoint that has none. Two runs of an endpoint share its messages, and send none twice.

    A run that was due more than an hour ago is ignored: a killed stock worker leaves its run Running forever.
    """
    deployment = await client.read_deployment_by_name(DEPLOYMENT)
    unended = filters.FlowRunFilter(
        tags=filters.FlowRunFilterTags(any_=[_tag(each) for each in names]),
        state=filters.FlowRunFilterState(type=filters.FlowRunFilterStateType(any_=_UNENDED)),
        expected_start_time=filters.FlowRunFilterExpectedStartTime(after_=datetime.now(UTC) - _COUNTS_FOR),
    )
    running = {each.parameters.get("endpoint") for each in await client.read_flow_runs(flow_run_filter=unended)}
    missing = [each for each in names if each not in running]
    for each in missing:
        await client.create_flow_run_from_deployment(
            deployment.id, parameters={"endpoint": each}, name=f"deliver to {each}", tags=[_tag(each), BY_ITSELF]
        )
    return len(missing)


def _tag(endpoint: str) -> str:
    return f"endpoint:{endpoint}"


async def _deliver(endpoint: str) -> list[str]:
    leave_slot()
    delivered = await deliver_due(endpoint)
    flow_run_ids = await in_thread(runs.ids_of_receipts, delivered.receipt_ids)
    async with get_client() as client:
        for page in pages(map(UUID, flow_run_ids), RUNS_AT_ONCE):
            await settle(client, await undelivered_runs(client, page))
    counts = ((verb, delivered.by_state[state]) for state, verb in _VERBS.items())
    return [f"{verb} {counted(number, 'message')} to {endpoint}" for verb, number in counts if number]


async def undelivered_runs(
    client: PrefectClient, among: Collection[UUID] | None = None, offset: int = 0
) -> list[FlowRun]:
    """Return the runs that ended with messages that were not confirmed: 200 of all, oldest first, after `offset` of
    them; or those among at most 200.
    """
    ids = filters.FlowRunFilterId(any_=list(among)) if among is not None else None
    wanted = filters.FlowRunFilter(id=ids, tags=filters.FlowRunFilterTags(all_=[UNDELIVERED_TAG]))
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

"""Ends the state Undelivered of runs whose messages are confirmed."""

from collections.abc import Collection, Iterable
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, FlowRunFilterTags
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort
from prefect.states import Completed

from adapters.platform.cancellation import in_thread
from adapters.tables.messages import notifications
from adapters.tables.runs import runs
from domain.messages.summaries import UNDELIVERED, UNDELIVERED_TAG, undelivered_text
from flows.execution.results import remove_results_of

RUNS_AT_ONCE = 200


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

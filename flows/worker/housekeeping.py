"""Begins the work of housekeeping before its run, and deletes the run if there was nothing to do.

So Prefect's schedules stay the clock of housekeeping, and its runs are those that did something. A stock worker
executes every scheduled run, and each of them stays.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas import filters
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound

from adapters.observation.metrics import HOUSEKEEPING
from adapters.peers import prefect_api
from flows.deliver_messages import deliver, deliver_messages
from flows.execution.engine import BY_ITSELF, Execution, Interruption
from flows.find_missing import find_missing, search
from flows.import_archives import drain, import_archives
from flows.import_reports import import_reports, new_reports
from flows.notify_people import notify_people, send_letters
from flows.publish_tables import publish, publish_tables
from flows.sweep_inbox import sweep, sweep_inbox

log = structlog.get_logger()

_WORKS: Mapping[str, Callable[..., Coroutine[Any, Any, list[Any]]]] = {
    deliver_messages.name: deliver,
    find_missing.name: search,
    import_archives.name: drain,
    import_reports.name: new_reports,
    notify_people.name: send_letters,
    publish_tables.name: publish,
    sweep_inbox.name: sweep,
}
_SHOWN_AFTER_S = 2
_ENDED = [StateType.COMPLETED, StateType.FAILED, StateType.CRASHED]


class Housekeeping:
    """The housekeeping of this worker, and for which run, and when, it last began each kind."""

    def __init__(self, client: PrefectClient) -> None:
        self._client = client
        self._begun = dict[str, tuple[UUID, datetime]]()
        for name in _WORKS:  # housekeeping that never ends well must look old too
            HOUSEKEEPING.labels(name).set_to_current_time()

    async def leaves_no_run(self, execution: Execution) -> bool:
        """Begin the work of a claimed run that nobody asked for. Delete the run if it has ended with nothing to show.

        Work that takes longer than two seconds is shown as a run. So are the first failure and the first success after
        it: an outage leaves no further runs. A run that was due before this worker last began the same work is deleted
        unbegun: after an outage of the database, there is one for each minute of it.

        Raises:
            HTTPError, PrefectException: Prefect does not answer.
        """
        name, flow_run = execution.flow_name, execution.flow_run
        if name not in _WORKS or BY_ITSELF not in flow_run.tags or flow_run.run_count:
            return False
        if not self._is_begun_since(flow_run):
            begun = execution.begin(_work_of(execution))
            begun.add_done_callback(lambda ended: _note(name, ended))
            await asyncio.wait({begun}, timeout=_SHOWN_AFTER_S)
            if not begun.done():
                return False
            error = begun.exception()
            if (not error and begun.result()) or bool(error) != await self._failed_before(flow_run):
                return False
            if error:
                log.warning("housekeeping fails again, and leaves no run", flow=name, why=type(error).__name__)
        if execution.interruption is not Interruption.LOST:  # else another worker may execute the run
            with suppress(ObjectNotFound):
                await self._client.delete_flow_run(flow_run.id)
        return True

    def _is_begun_since(self, flow_run: FlowRun) -> bool:
        """Return whether this worker has begun the work of a run, for another, since it was due. If not, begin now."""
        kind, due_at = f"{flow_run.deployment_id} {flow_run.parameters}", flow_run.expected_start_time
        other, began_at = self._begun.get(kind, (flow_run.id, None))
        if other != flow_run.id and began_at and due_at and due_at <= began_at:
            return True
        self._begun[kind] = flow_run.id, prefect_api.now()
        return False

    async def _failed_before(self, flow_run: FlowRun) -> bool:
        """Return whether the run of this kind that ended last has failed, whichever worker executed it."""
        like_it = filters.FlowRunFilter(
            deployment_id=filters.FlowRunFilterDeploymentId(
                any_=[flow_run.deployment_id] if flow_run.deployment_id else []
            ),
            tags=filters.FlowRunFilterTags(all_=flow_run.tags),
            state=filters.FlowRunFilterState(type=filters.FlowRunFilterStateType(any_=_ENDED)),
        )
        last = await self._client.read_flow_runs(flow_run_filter=like_it, sort=FlowRunSort.END_TIME_DESC, limit=1)
        return any(each.state_type is not StateType.COMPLETED for each in last)


async def _work_of(execution: Execution) -> list[Any]:
    """Do the work of a run. Parameters that it does not take fail the run, and not the worker."""
    return await _WORKS[execution.flow_name](**execution.flow_run.parameters)


def _note(flow_name: str, ended: "asyncio.Task[list[Any]]") -> None:
    if not ended.cancelled() and not ended.exception():
        HOUSEKEEPING.labels(flow_name).set_to_current_time()

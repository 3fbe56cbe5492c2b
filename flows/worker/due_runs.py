"""Finds the due runs of the pool, and chooses those that may start beside the working runs."""

from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun

from flows.execution.engine import Execution
from flows.worker.outages import Outages
from flows.worker.pool import RUNS_PER_PAGE, due_runs

SLOTS = 16
_MOST_LIVE = 200
_FIRST_PAGE = 32
_MOMENT = timedelta(microseconds=1)  # the resolution of Prefect's times
SUSPECT = "Its worker was killed repeatedly, so the run is executed alone."
"""The message of the state of a run that may be what kills its worker."""
DRIVES_BATCH = "batch"
"""The tag of runs that drive a batch. Each stop of a worker begins them again, and they read no archive."""


class DueRuns:
    """The runs that are due and not started yet, oldest first."""

    def __init__(
        self, client: PrefectClient, flow_ids: Collection[UUID], live: Mapping[str, Execution], outages: Outages
    ) -> None:
        self._client = client
        self._outages = outages
        self._flow_ids = flow_ids
        self._live = live
        self._runs: list[FlowRun] = []

    def take(self) -> list[FlowRun]:
        """Remove the runs that may start now, and return them."""
        room = _MOST_LIVE - len(self._live)
        due = [each for each in self._runs if str(each.id) not in self._live]
        taken = startable(due, self._working(), self._outages.one_at_a_time)[:room]
        self._runs = [each for each in self._runs if each not in taken]
        return taken

    async def look(self) -> None:
        """Ask Prefect for due runs, page by page until a run may start.

        The first pages may be full of runs that have to wait.
        """
        working = self._working()
        if len(working) >= SLOTS or len(self._live) >= _MOST_LIVE:
            return
        seen = set(self._live)  # taken before the request: a run that ends in between may still be in the answer
        found: list[FlowRun] = []
        limit, after = _FIRST_PAGE, None
        while True:
            page = await due_runs(self._client, limit, after)
            found += [each for each in page if each.flow_id in self._flow_ids and str(each.id) not in seen]
            seen.update(str(each.id) for each in page)
            last_time = page[-1].next_scheduled_start_time if page else None
            if last_time is None or len(page) < limit or startable(found, working, self._outages.one_at_a_time):
                break
            # Prefect does not order runs that are due at the same time. Only a page of them is seen until some start.
            limit, after = RUNS_PER_PAGE, last_time if last_time != after else last_time + _MOMENT
        self._runs = found

    def _working(self) -> list[FlowRun]:
        return [each.flow_run for each in self._live.values() if each.holds_slot]


def startable(due: Iterable[FlowRun], working: Collection[FlowRun], one_at_a_time: UUID | None = None) -> list[FlowRun]:
    """Return the due runs that may start beside the working runs, in the order in which they are due. Pure.

    Of the flow `one_at_a_time` only one run works: a system that its runs need is away, and a single run finds out
    whether it is back.
    """
    starting: list[FlowRun] = []
    for flow_run in due:
        beside = [*working, *starting]
        is_next = flow_run.flow_id != one_at_a_time or all(each.flow_id != one_at_a_time for each in beside)
        if is_next and _may_start_beside(flow_run, beside):
            starting.append(flow_run)
    return starting


def _may_start_beside(flow_run: FlowRun, working: Collection[FlowRun]) -> bool:
    if not working:
        return True
    if len(working) >= SLOTS or _is_suspect(flow_run) or any(_is_suspect(each) for each in working):
        return False
    # Two runs of a process cannot work at once: the second would wait in a slot for the lease.
    reference = flow_run.parameters.get("reference")
    return reference is None or reference not in [each.parameters.get("reference") for each in working]


def _is_suspect(flow_run: FlowRun) -> bool:
    """Return whether a run may be what kills its worker, since its workers were killed repeatedly. It runs alone."""
    return flow_run.state is not None and flow_run.state.message == SUSPECT and DRIVES_BATCH not in flow_run.tags

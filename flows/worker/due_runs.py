"""Finds the due runs of the pool, and chooses those that may start beside the working runs.

Watches the systems that runs wait for, and makes these runs due as soon as a system is back.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import Any
from uuid import UUID

import structlog
from prefect import Flow
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun

from adapters.peers import prefect_api
from adapters.platform.cancellation import clock
from adapters.tables.runs import waiting
from flows.execution.engine import Execution
from flows.process_archive import process_archive
from flows.worker.pool import RUNS_PER_PAGE, due_runs
from models.errors import System, Transient
from services.health.probes import can_be_tried, works

log = structlog.get_logger()

_TRIED_WITHIN_S = 10
_HOLD_UP = {System.STORE, System.CLAMAV}
"""Every archive needs these systems. Without the database no run starts; a key or an endpoint concerns few archives."""


class Outages:
    """The systems that are away, as this worker sees them."""

    def __init__(self, flows: Mapping[UUID, Flow[..., Any]]) -> None:
        self._archiving = next((each for each, flow in flows.items() if flow.name == process_archive.name), None)
        self._away: set[System] = set()
        self._tried: set[System] = set()
        self._trying: dict[System, asyncio.Task[bool]] = {}

    @property
    def one_at_a_time(self) -> UUID | None:
        """The flow of which only one run may work, because it needs a system that is away."""
        return self._archiving if self._away & _HOLD_UP else None

    async def look(self) -> None:
        """Try out each system that runs wait for. Make its runs due if it is back.

        A system counts as back when it works after it was away, or at the first look of this worker: it may have
        come back while no worker looked. A system that seems to work all the time is left to the pauses of its runs, or
        a run that fails in spite of it would be repeated without a pause.
        """
        try:
            waited_for = {System(each) for each in await asyncio.to_thread(waiting.systems)}
        except Transient:
            self._away.add(System.DATABASE)
            raise
        for system in filter(can_be_tried, waited_for):
            if not await self._works(system):
                if system not in self._away:
                    log.warning("a system is away; runs wait for it", system=system)
                self._away.add(system)
            elif system in self._away or system not in self._tried:
                self._away.discard(system)
                self._tried.discard(system)  # so that the next look goes on if Prefect fails in between
                await self._make_due(system)
            self._tried.add(system)
        self._away &= waited_for
        self._tried &= waited_for

    async def _works(self, system: System) -> bool:
        """Return whether a system works. A probe that hangs keeps its thread, so no second probe starts beside it."""
        trying = self._trying.pop(system, None) or asyncio.create_task(works(system))
        await asyncio.wait({trying}, timeout=_TRIED_WITHIN_S)
        if not trying.done():
            self._trying[system] = trying
            return False
        return trying.result()

    async def _make_due(self, system: System) -> None:
        rows = await asyncio.to_thread(waiting.runs_waiting_for, system)
        known = await prefect_api.known([each.flow_run_id for each in rows])
        due = await prefect_api.make_due(known.values())
        log.info("a system is back; its runs are due", system=system, runs=due)


SLOTS = 16
_MOST_LIVE = 200
_FIRST_PAGE = 32
_NEW_FOR = timedelta(seconds=10)
_SLOTS_OF_BACKLOG = 4
"""Two processors are busy with so many runs. A new archive beside twice as many takes twice as long."""
_LOOKS_FOR_NEW_EACH_S, _LOOKS_FOR_OLD_EACH_S = 0.5, 5
"""A look into a backlog of 10,000 costs Prefect's server as much as a run. It is in vain while no old run may start."""
_MOMENT = timedelta(microseconds=1)  # the resolution of Prefect's times
SUSPECT = "Its worker was killed repeatedly, so the run is executed alone."
"""The message of the state of a run that may be what kills its worker."""
DRIVES_BATCH = "batch"
"""The tag of runs that drive a batch. Each stop of a worker begins them again, and they read no archive."""


class DueRuns:
    """The runs that are due and not started yet, oldest first. New ones take turns with those of a backlog."""

    def __init__(
        self, client: PrefectClient, flow_ids: Collection[UUID], live: Mapping[str, Execution], outages: Outages
    ) -> None:
        self._client = client
        self._outages = outages
        self._flow_ids = flow_ids
        self._live = live
        self._runs: list[FlowRun] = []
        self._is_backlog = False
        self._looked_s = self._looked_for_new_s = 0.0

    def take(self) -> list[FlowRun]:
        """Remove the runs that may start now, and return them."""
        room = _MOST_LIVE - len(self._live)
        due = [each for each in self._runs if str(each.id) not in self._live]
        working, new_from = self._working(), prefect_api.now() - _NEW_FOR
        taken = startable(due, working, self._outages.one_at_a_time)[:room]
        if self._is_backlog:
            old = max(0, _SLOTS_OF_BACKLOG - len(working))
            taken = [each for place, each in enumerate(taken) if place < old or _due_at(each) >= new_from]
        self._runs = [each for each in self._runs if each not in taken]
        return taken

    async def look(self) -> None:
        """Ask Prefect for due runs, page by page until a run may start.

        The first pages may be full of runs that have to wait.
        """
        working = self._working()
        if len(working) >= SLOTS or len(self._live) >= _MOST_LIVE:
            return
        is_in_vain = self._is_backlog and len(working) >= _SLOTS_OF_BACKLOG
        if is_in_vain and clock() - self._looked_s < _LOOKS_FOR_OLD_EACH_S:
            return
        self._looked_s = clock()
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
        self._runs, self._is_backlog = found, len(page) == limit

    async def look_for_new(self) -> None:
        """Put runs that have just become due before those of a backlog, by turns."""
        if not self._is_backlog or clock() - self._looked_for_new_s < _LOOKS_FOR_NEW_EACH_S:
            return
        self._looked_for_new_s = clock()
        page = await due_runs(self._client, _FIRST_PAGE, prefect_api.now() - _NEW_FOR)
        new = [each for each in page if each.flow_id in self._flow_ids and str(each.id) not in self._live]
        ids = {each.id for each in new}
        old = [each for each in self._runs if each.id not in ids]
        self._runs = [each for turn in zip_longest(new, old) for each in turn if each]

    def _working(self) -> list[FlowRun]:
        return [each.flow_run for each in self._live.values() if each.holds_slot]


def _due_at(flow_run: FlowRun) -> datetime:
    return flow_run.next_scheduled_start_time or datetime.min.replace(tzinfo=UTC)


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

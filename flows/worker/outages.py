"""Watches the systems that runs wait for, and makes these runs due as soon as a system is back."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import structlog
from prefect import Flow

from adapters.peers import prefect_api
from adapters.tables.runs import waiting
from flows.process_archive import process_archive
from models.errors import Locked, System, Transient
from services.health.probes import can_be_tried, try_out

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
        self._trying: dict[System, asyncio.Task[None]] = {}

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
        waited_for = {System(each) for each in await asyncio.to_thread(waiting.systems)}
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
        trying = self._trying.pop(system, None) or asyncio.create_task(asyncio.to_thread(try_out, system))
        await asyncio.wait({trying}, timeout=_TRIED_WITHIN_S)
        if not trying.done():
            self._trying[system] = trying
            return False
        try:
            trying.result()
        except (Transient, Locked, OSError):
            return False
        return True

    async def _make_due(self, system: System) -> None:
        rows = await asyncio.to_thread(waiting.runs_waiting_for, system)
        known = await prefect_api.known([each.flow_run_id for each in rows])
        due = await prefect_api.make_due(known.values())
        log.info("a system is back; its runs are due", system=system, runs=due)

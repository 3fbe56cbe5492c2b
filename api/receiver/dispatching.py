"""Registers and triggers every delivery in the inbox: right after the answer, and again by a sweep.

Refused deliveries get their rows in the same way, many at once. Session events go to store and database likewise.

Of several processes of a receiver, one sweeps for all. Each triggers what it has acknowledged itself, and lets the
sweep begin soon when it had to drop something.

The inbox is the queue. An announced delivery is only triggered sooner. If the process dies, the sweep finds it.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from typing import TypeVar

import structlog

from adapters.platform.loops import in_background, supervised
from adapters.settings.settings import settings
from api.receiver.admission import Admission
from api.receiver.processes import DROPPED, Processes
from models.errors import System, Transient, Unusable
from models.runs.receipt import Delivery, RefusedDelivery, Trigger
from services.completeness.session_events import take_in_announced, take_in_left
from services.health.probes import works
from services.triggering.refused import MOST_LISTED_AT_ONCE, list_all_refused, list_refused
from services.triggering.reruns import start_asked
from services.triggering.trigger import together, trigger, untriggered

log = structlog.get_logger()
T = TypeVar("T")

_LOOK_S = 1.0
_MOMENT_S = 0.01
_PATIENCE_S = 0.25
_REFUSED_PAUSE_S = 1.0
"""The pause between two batches of refused deliveries. A flood then costs a batch each second."""
_EVENTS_PAUSE_S = 2.0
"""The pause between two takings in of session events. Each makes one file in the store."""


class Dispatcher:
    """Triggers one receipt at a time, with all its deliveries that wait.

    `announce` never waits, so an answer never waits for the database or Prefect.

    While the database or Prefect does not answer, announced deliveries are dropped. The next sweep finds them in the
    inbox. So there is one try per sweep rather than one per delivery, and no queue grows in memory.
    """

    def __init__(self, admission: Admission, processes: Processes) -> None:
        self._admission = admission
        self._processes = processes
        self._announced: asyncio.Queue[Delivery] = asyncio.Queue()
        self._announced_ids: set[str] = set()
        self._one_at_a_time = asyncio.Lock()
        self._away = asyncio.Event()
        self._failed: System | None = None
        self._refused: deque[RefusedDelivery] = deque(maxlen=MOST_LISTED_AT_ONCE)
        self._batches: deque[str] = deque()

    def announce(self, delivery: Delivery) -> None:
        self._announced.put_nowait(delivery)
        self._announced_ids.add(delivery.delivery_id)

    def announce_refused(self, delivery: RefusedDelivery) -> None:
        """Let a refused delivery have its row soon. In a flood, the sweep lists the deliveries that find no room."""
        self._refused.append(delivery)

    def announce_events(self, batch: str) -> None:
        """Let a batch of session events get into store and database soon."""
        self._batches.append(batch)

    def running(self) -> AbstractAsyncContextManager[None]:
        loops = {
            "the sweep of the inbox": self._sweep_repeatedly,
            "the triggering after an answer": self._follow,
            "the listing of refused deliveries": self._list_repeatedly,
            "the taking in of session events": self._take_in_repeatedly,
        }
        return in_background(*(supervised(name, loop) for name, loop in loops.items()))

    async def _follow(self) -> None:
        while True:
            announced = [await self._announced.get()]
            while not self._announced.empty():
                announced.append(self._announced.get_nowait())
            for delivery, *again in together(announced):
                try:
                    if not self._away.is_set():
                        await self._trigger(delivery, Trigger.WEBHOOK, again)
                except Transient as error:
                    self._stand_back(f"receipt {delivery.receipt_id} is not triggered; the sweep tries again", error)
                finally:
                    self._announced_ids.difference_update(each.delivery_id for each in (delivery, *again))

    async def _sweep_repeatedly(self) -> None:
        """Sweep at the start and at intervals; after a failure as soon as what was away answers.

        A database with unexpected tables ends this loop. Until `supervised` restarts it, `/readyz` reports it as down.
        """
        some_were_dropped = True  # by the process before this one
        while True:
            self._away.clear()
            dropped = self._processes.total(DROPPED)
            try:
                if self._processes.is_leader():
                    await self.sweep(even_new=some_were_dropped)
            except Unusable:
                self._away.set()
                raise
            except Transient as error:
                self._stand_back("the sweep stopped; it starts again soon", error)
            if not self._away.is_set():
                await self._until_next_sweep(dropped)
            if self._away.is_set():
                await self._until_back()
            some_were_dropped = self._processes.total(DROPPED) != dropped

    async def _until_next_sweep(self, dropped: int) -> None:
        """Wait for the interval, or until a process of the receiver drops more deliveries than `dropped`, or ends."""
        clock = asyncio.get_running_loop().time
        end_s = clock() + settings().sweep_interval_s
        while (left_s := end_s - clock()) > 0 and self._processes.total(DROPPED) == dropped:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._away.wait(), min(left_s, _LOOK_S))
                return

    async def _until_back(self) -> None:
        """Wait until the system that was away works again, for the interval at most."""
        interval_s, clock = settings().sweep_interval_s, asyncio.get_running_loop().time
        end_s, is_back = clock() + interval_s, False
        while not is_back:
            await asyncio.sleep(min(_LOOK_S, interval_s))
            is_back = clock() >= end_s or await works(self._failed)

    async def sweep(self, *, even_new: bool) -> None:
        """Trigger the deliveries in the inbox that were not triggered, and the re-runs that wait for Prefect.

        Announced deliveries have their own turn. With `even_new`, those of the last moments are triggered too: other
        processes may have dropped them.

        Raises:
            Transient: database or Prefect does not answer, so the remaining deliveries would fail too.
            Unusable: they would fail until a person has changed the database.
        """
        began_s, runs = time.monotonic(), 0
        for delivery, *again in together(await untriggered(self._announced_ids, even_new=even_new)):
            runs += await self._trigger(delivery, Trigger.SWEEP, again)
        with suppress(Unusable):  # then the database has no re-run that waits, and an empty inbox is no trouble
            runs += await start_asked()
        if runs:
            log.info("the inbox is swept", runs=runs, duration_s=round(time.monotonic() - began_s, 3))

    async def _list_repeatedly(self) -> None:
        """List refused deliveries. No archive waits for it, so `/readyz` does not report that it fails."""
        failed = "refused deliveries are not listed; the sweep tries again"
        await self._repeat(list_all_refused, list_refused, self._refused, _REFUSED_PAUSE_S, failed)

    async def _take_in_repeatedly(self) -> None:
        """Take in session events. Their senders get their answers, whether or not it fails."""
        failed = "session events are not taken in; the sweep tries again"
        await self._repeat(take_in_left, take_in_announced, self._batches, _EVENTS_PAUSE_S, failed)

    async def _repeat(
        self,
        search: Callable[[], Awaitable[object]],
        work: Callable[[Sequence[T]], Awaitable[object]],
        announced: deque[T],
        pause_s: float,
        failed: str,
    ) -> None:
        """Work on what is announced, after a pause, and search for what was left, at the start and at intervals.

        While store or database are away, what is announced is left to the next search.
        """
        clock = asyncio.get_running_loop().time
        search_at_s, is_away = clock(), False
        while True:
            new = list(announced)
            announced.clear()
            try:
                if clock() >= search_at_s:
                    search_at_s, is_away = clock() + settings().sweep_interval_s, False
                    if self._processes.is_leader():
                        await search()
                if new and not is_away:
                    await work(new)
            except Transient as error:
                is_away = True
                log.warning(failed, why=str(error))
            await asyncio.sleep(pause_s)

    async def _trigger(self, delivery: Delivery, why: Trigger, again: Sequence[Delivery]) -> bool:
        """Trigger a delivery with those of the same receipt, and return whether they have a new run."""
        async with self._one_at_a_time:
            await self._lull()
            return await trigger(delivery, why, again)

    async def _lull(self) -> None:
        """Wait for a moment without a new request, if it comes soon.

        A registration takes as long as several acknowledgements, so in a burst acknowledgements go first.
        """
        deadline = time.monotonic() + _PATIENCE_S
        admitted = -1
        while admitted != self._admission.admitted and time.monotonic() < deadline:
            admitted = self._admission.admitted
            await asyncio.sleep(_MOMENT_S)

    def _stand_back(self, message: str, error: Transient) -> None:
        """Drop the deliveries that are announced before the next sweep."""
        self._failed = error.system
        self._away.set()
        self._processes.add(DROPPED, 1)
        log.warning(message, why=str(error))

"""Sees that every sending in the inbox is registered and has a run: right after the answer, and again by a sweep.

The inbox is the queue. What is announced here is only looked at sooner; lost with the process, the sweep finds it.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta

import structlog

from adapters import inbox
from adapters.settings import settings
from adapters.trigger import trigger
from api.admission import Admission
from models.errors import CellarError, Transient
from models.receipt import Sending
from models.run import Trigger

log = structlog.get_logger()

_ANNOUNCED_WITHIN = timedelta(seconds=5)
_LOOK_AGAIN_AFTER = timedelta(minutes=2)
_MOMENT_S = 0.01
_PATIENCE_S = 0.25


class Dispatcher:
    """Triggers one sending at a time. `announce` never waits, so an answer never waits for database or Prefect."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._announced: asyncio.Queue[Sending] = asyncio.Queue()
        self._looked_after: dict[str, datetime] = {}
        self._one_at_a_time = asyncio.Lock()

    def announce(self, sending: Sending) -> None:
        self._announced.put_nowait(sending)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._sweep_for_ever())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def _follow(self) -> None:
        while True:
            sending = await self._announced.get()
            with _surviving(f"receipt {sending.receipt_id} is not triggered; the sweep tries again"):
                await self._trigger(sending, Trigger.WEBHOOK)

    async def _sweep_for_ever(self) -> None:
        while True:
            with _surviving("the sweep stopped and goes on later"):
                await self.sweep()
            await asyncio.sleep(settings().sweep_interval_s)

    async def sweep(self) -> None:
        """Trigger whatever waits in the inbox and was not, and look after what was and waits for long.

        What came a moment ago is left to its announcement.

        Raises:
            Transient: database or Prefect does not answer. The rest would fare no better now.
        """
        waiting = await asyncio.to_thread(lambda: list(inbox.sendings()))
        now = datetime.now(UTC)
        known = {sending.sending_id: self._looked_after.get(sending.sending_id) for sending in waiting}
        self._looked_after = {sending_id: at for sending_id, at in known.items() if at}
        for sending in waiting:
            if sending.received_at + _ANNOUNCED_WITHIN < now:
                await self._trigger(sending, Trigger.SWEEP)

    async def _trigger(self, sending: Sending, why: Trigger) -> None:
        async with self._one_at_a_time:
            looked_after = self._looked_after.get(sending.sending_id)
            if looked_after and datetime.now(UTC) < looked_after + _LOOK_AGAIN_AFTER:
                return
            await self._lull()
            try:
                await trigger(sending, why)
            except Transient:
                raise
            except CellarError as error:
                log.error("not triggered; a person has to look", receipt_id=sending.receipt_id, why=str(error))
            self._looked_after[sending.sending_id] = datetime.now(UTC)

    async def _lull(self) -> None:
        """Wait for a moment without a new request, if it comes soon.

        A registration takes as long as several acknowledgements, and in a burst they would wait for it. They go first.
        """
        deadline = time.monotonic() + _PATIENCE_S
        admitted = -1
        while admitted != self._admission.admitted and time.monotonic() < deadline:
            admitted = self._admission.admitted
            await asyncio.sleep(_MOMENT_S)


@contextmanager
def _surviving(message: str) -> Iterator[None]:
    """Whatever goes wrong, the loops go on: nobody else triggers what was acknowledged."""
    try:
        yield
    except Transient as error:
        log.warning(message, why=str(error))
    except Exception:
        logging.getLogger(__name__).exception(message)  # structlog's own trace would show values from payloads

"""Notices that the receiver turns Cellosign away, and announces it: once an hour, however many requests there are.

A body that arrives and is refused is kept in quarantine and reported elsewhere. Of these requests nothing is kept.
"""

import asyncio
from contextlib import AbstractAsyncContextManager, suppress
from datetime import UTC, datetime

import structlog

from adapters.peers import prefect_api
from adapters.platform.loops import in_background, supervised
from adapters.settings.settings import settings
from api.receiver.processes import Processes
from domain.messages.bodies import receiver_refusing
from models.errors import Transient
from models.messages.notification import TurnedAway
from services.messages.events import announce, prefect_event

log = structlog.get_logger()

MANY = 5
"""From so many requests in an hour on, it is no stranger who tries a door."""
_WITHOUT_A_TRACE = {401, 403, 404, 413, 500, 503}
_GATHERED_S = 2.0
_PAUSE_S = 30.0


class Refusing:
    """The requests to the webhook that this receiver turned away in the running hour of the clock.

    Its processes count together. Each may announce; the hour makes their announcements one event.
    """

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._first_at = self._last_at = datetime.min.replace(tzinfo=UTC)
        self._is_announced = False
        self._are_many = asyncio.Event()

    def count(self, status: int, code: str) -> None:
        """Count a request that was answered with a failure. Runs in the event loop."""
        if status not in _WITHOUT_A_TRACE:
            return
        now = datetime.now(UTC)
        if _hour(now) != _hour(self._first_at):
            self._first_at, self._is_announced = now, False
        self._processes.add_turned_away(code, _number_of_hour(now))
        self._last_at = now
        if not self._is_announced and sum(self._processes.turned_away(_number_of_hour(now)).values()) >= MANY:
            self._is_announced = True
            self._are_many.set()

    def reporting(self) -> AbstractAsyncContextManager[None]:
        return in_background(supervised("the reporting of requests that are turned away", self._report_repeatedly))

    async def _report_repeatedly(self) -> None:
        """Report once the requests are many. While the database is away, try again."""
        while True:
            await self._are_many.wait()
            await asyncio.sleep(_GATHERED_S)  # the first message of a flood says that it is one
            self._are_many.clear()  # before the report, during which the next hour may have many too
            try:
                by_code = self._processes.turned_away(_number_of_hour(self._last_at))
                await self._report(TurnedAway(by_code, self._first_at, self._last_at))
            except Transient as error:
                self._are_many.set()
                log.warning("it is not reported that requests are turned away; it is tried again", why=str(error))
                await asyncio.sleep(_PAUSE_S)

    async def _report(self, turned_away: TurnedAway) -> None:
        first_hour, url = _hour(turned_away.first_at), settings().receiver_url
        event = receiver_refusing(first_hour, turned_away, turned_away.last_at, url)
        log.warning("requests are turned away", by_code=dict(turned_away.by_code))
        await asyncio.to_thread(announce, event)
        with suppress(Transient):
            await prefect_api.emit(prefect_event(event))


def _hour(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H}"


def _number_of_hour(at: datetime) -> int:
    return int(at.timestamp() // 3600)

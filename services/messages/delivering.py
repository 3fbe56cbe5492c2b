"""Delivers the messages to an endpoint that are due, in their order and a few at a time."""

import asyncio
import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from adapters.peers import downstream
from adapters.platform.cancellation import in_thread
from adapters.store import history
from adapters.tables import notifications, queues, receipts
from adapters.tables.queues import Taken
from models.errors import CellarError
from models.messages.notification import NotificationRow, NotificationState
from services.messages.attempts import Attempt, send_taken
from services.messages.planning import known_endpoints

log = structlog.get_logger()

_AT_ONCE = 4
_PAGE = 64
_WORKS_FOR_S = 600


@dataclass(slots=True)
class Delivered:
    """What was delivered to an endpoint: the number of messages by state, and the subjects of messages about archives
    that have reached an end.
    """

    by_state: Counter[str] = field(default_factory=Counter)
    receipt_ids: set[str] = field(default_factory=set)


async def due_endpoints(now: datetime) -> list[str]:
    """Return the names of the endpoints that have a message to send now.

    Raises:
        Transient: the database does not answer.
    """
    await in_thread(known_endpoints)  # the settings may have changed
    return await in_thread(queues.endpoints_with_due, now)


async def deliver_due(endpoint_name: str) -> Delivered:
    """Send the messages to an endpoint that are due, until none is due, or for ten minutes.

    The first failure ends a page: the endpoint may be down, and then one message at a time is tried.

    Raises:
        Transient: database or store does not answer.
        Locked: the endpoint's keys cannot be opened.
    """
    delivered, until_s = Delivered(), time.monotonic() + _WORKS_FOR_S
    async with downstream.line() as line:
        while time.monotonic() < until_s:
            page = await in_thread(queues.take_due, endpoint_name, datetime.now(UTC), _PAGE)
            if not page:
                break
            await _Page(page, line, delivered).send()
    await in_thread(keep_histories, delivered.receipt_ids)
    return delivered


async def give_up_expired(now: datetime) -> list[NotificationRow]:
    """Make the messages dead that no endpoint has confirmed in time, and return them.

    Raises:
        Transient: database or store does not answer.
    """
    dead = await in_thread(queues.give_up_expired, now)
    for each in dead:
        log.error(
            "a message is given up", message_id=each.message_id, endpoint=each.endpoint_name, why=each.skipped_why
        )
    await in_thread(keep_histories, {each.receipt_id for each in dead if each.reference})
    return dead


def keep_histories(receipt_ids: Collection[str]) -> None:
    """Write the attempts about receipts into the store, once no message about the receipt waits any longer.

    Raises:
        Transient: database or store does not answer.
    """
    known = receipts.references(receipt_ids)  # the subject of an event may be no receipt
    for receipt_id in sorted(known.keys() - notifications.with_pending(known)):
        history.keep(known[receipt_id], receipt_id)


class _Page:
    """Messages that were taken, of which a few are sent at a time until an attempt fails."""

    def __init__(self, taken: Sequence[Taken], line: downstream.Line, delivered: Delivered) -> None:
        self._left = list(reversed(taken))
        self._line = line
        self._delivered = delivered

    async def send(self) -> None:
        try:
            async with asyncio.TaskGroup() as senders:
                for _ in range(_AT_ONCE):
                    senders.create_task(self._send_in_turn())
        except* CellarError as errors:
            raise errors.exceptions[0] from None
        finally:
            if self._left:
                await asyncio.shield(in_thread(queues.release, self._left))

    async def _send_in_turn(self) -> None:
        while self._left:
            taken = self._left.pop()
            made = await send_taken(taken, self._line)
            self._count(taken, made)
            if made.state is not NotificationState.DELIVERED:
                await self._stop()

    def _count(self, taken: Taken, made: Attempt) -> None:
        self._delivered.by_state[made.state] += 1
        if made.state is not NotificationState.PENDING and taken.message.reference:
            self._delivered.receipt_ids.add(taken.message.receipt_id)

    async def _stop(self) -> None:
        left, self._left = self._left, []
        if left:
            await in_thread(queues.release, left)

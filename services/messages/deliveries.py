"""Delivers the messages to an endpoint that are due, in their order and a few at a time."""

import asyncio
import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog
from sqlmodel import col
from structlog.contextvars import bound_contextvars, unbind_contextvars

from adapters.database import noted
from adapters.observation.log import reference_digest
from adapters.peers import downstream
from adapters.platform.cancellation import in_thread, until_ended
from adapters.store.objects import history
from adapters.tables.messages import notifications, queues
from adapters.tables.messages.queues import Taken
from adapters.tables.runs import receipts
from models.errors import CellarError
from models.messages.notification import AttemptTrigger, NotificationRow, NotificationState
from models.runs.receipt import ReceiptRow
from models.said import Sentence
from models.store.happened import NotedRow
from models.views.messages import EndpointTest
from services.messages.attempts import Attempt, send, send_taken, told
from services.messages.known import known_endpoints

log = structlog.get_logger()

_AT_ONCE = 4
_PAGE = 64
_NOTED_AT_ONCE = 500
_WORKS_FOR_S = 600
_RUN_WAITS_S = 2

_going_on = dict[asyncio.Task[None], str]()
"""Attempts that take longer than their runs, with the names of their endpoints."""


@dataclass(slots=True)
class Delivered:
    """What was delivered to an endpoint: the number of messages by state, and the subjects of messages about archives
    that have reached an end.
    """

    by_state: Counter[str] = field(default_factory=Counter)
    receipt_ids: set[str] = field(default_factory=set)


async def due_endpoints(now: datetime) -> list[str]:
    """Return the names of the endpoints that have a message to send now."""
    await in_thread(known_endpoints)  # the settings may name new ones
    return await in_thread(queues.endpoints_with_due, now)


async def deliver_due(endpoint_name: str) -> Delivered:
    """Send the messages to an endpoint that are due, until none is due, or for ten minutes.

    The first failure ends a page: the endpoint may be down, and then one message at a time is tried.

    Raises Locked if the endpoint's keys cannot be opened.
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


async def send_from_run(message_id: str) -> Attempt:
    """Make the attempt of a run at a message, and wait for its end for two seconds.

    An attempt that takes longer goes on in this process, and is recorded at its end: an endpoint that is slow gets its
    message once. Until then no other run of this process waits for the endpoint, or calls it. If the process ends
    before, the message is due again when its claim has ended.

    Raises Locked if the endpoint's keys cannot be opened.
    """
    if _going_on and await _endpoint_of(message_id) in _going_on.values():
        return Attempt(NotificationState.PENDING, error=Sentence.other_message_waits(), was_made=False)
    sending = asyncio.create_task(send(message_id, unless_paused=True))
    try:
        await asyncio.wait({sending}, timeout=_RUN_WAITS_S)
    except asyncio.CancelledError:
        sending.cancel()
        await until_ended(sending)
        raise
    if sending.done():
        return sending.result()
    rest = asyncio.create_task(_go_on(sending, message_id))
    _going_on[rest] = await _endpoint_of(message_id)
    rest.add_done_callback(_going_on.pop)
    return Attempt(NotificationState.PENDING, error=Sentence.not_answered_yet(), was_made=False)


async def send_for(person: str, message_id: str, *, is_forced: bool) -> EndpointTest:
    """Send a message now, since a person asks for it, and return what became of it. `is_forced`: also a message that
    its endpoint has confirmed. The message is claimed, so nothing else sends it meanwhile.

    Raises Locked if the endpoint's keys cannot be opened.
    """
    message = await in_thread(notifications.get, message_id)
    attempt = await send(message_id, AttemptTrigger.FORCED if is_forced else AttemptTrigger.MANUAL, person)
    await in_thread(keep_histories, [message.receipt_id])
    return told(message.endpoint_name, message_id, attempt.made, attempt.error)


async def _endpoint_of(message_id: str) -> str:
    message = await in_thread(notifications.find, message_id)
    return message.endpoint_name if message else ""


async def _go_on(sending: asyncio.Task[Attempt], message_id: str) -> None:
    """Keep the history of a message that is confirmed after the end of its run."""
    try:
        if (await sending).state is not NotificationState.PENDING:
            message = await in_thread(notifications.find, message_id)
            await in_thread(keep_histories, [message.receipt_id] if message else [])
    except CellarError as error:  # its claim ends, and it is due again
        log.warning("an attempt is not recorded", message_id=message_id, error=type(error).__name__)


async def give_up_expired(now: datetime) -> list[NotificationRow]:
    """Make the messages dead that no endpoint has confirmed in time, and return them."""
    dead = await in_thread(queues.give_up_expired, now)
    for each in dead:
        log.error(
            "a message is given up", message_id=each.message_id, endpoint=each.endpoint_name, why=each.skipped_why
        )
    await in_thread(keep_histories, {each.receipt_id for each in dead if each.reference})
    return dead


def keep_histories(receipt_ids: Collection[str]) -> None:
    """Write the attempts about receipts into the store, once no message about the receipt waits any longer."""
    known = receipts.references(receipt_ids)  # the subject of an event may be no receipt
    for receipt_id in sorted(known.keys() - notifications.with_pending(known)):
        history.keep(known[receipt_id], receipt_id)


def keep_left_histories() -> None:
    """Write the histories of the receipts whose messages were skipped, many at once, since their endpoint has left."""
    while rows := noted.noted(col(NotedRow.of) == str(ReceiptRow.__tablename__), _NOTED_AT_ONCE):
        keep_histories({each.row["receipt_id"] for each in rows})
        noted.forget(rows)


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
        unbind_contextvars("flow_run_id")  # it is no run of these processes
        while self._left:
            taken = self._left.pop()
            reference = taken.message.reference
            with bound_contextvars(reference_digest=reference_digest(reference) if reference else None):
                made = await send_taken(taken, self._line)
            self._delivered.by_state[made.state] += 1
            if made.state is not NotificationState.PENDING and reference:
                self._delivered.receipt_ids.add(taken.message.receipt_id)
            if made.state is not NotificationState.DELIVERED:
                left, self._left = self._left, []
                if left:
                    await in_thread(queues.release, left)

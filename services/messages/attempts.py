"""Makes attempts at messages to endpoints, and records each attempt."""

import asyncio
import json
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog

from adapters.observation.tracing import span
from adapters.peers import downstream
from adapters.platform.cancellation import in_thread
from adapters.platform.grouping import Grouped
from adapters.store import kept_endpoints
from adapters.tables.messages import attempts, notifications, queues
from adapters.tables.messages.attempts import Made
from adapters.tables.messages.queues import Taken
from domain.messages.attempts import is_confirmation, kept_text, retry_after
from domain.messages.endpoints import tokens_of
from domain.messages.signatures import SigningKey, key_of, signatures_of
from domain.words.catalogue import in_words, word
from models.errors import Code, Locked, Refused, System, Transient
from models.messages.notification import (
    AttemptTrigger,
    EndpointRow,
    EventType,
    NotificationRow,
    NotificationState,
    Stage,
)
from models.said import Said, Sentence
from models.views.messages import EndpointTest
from services.messages.events import completed, delivery_refused
from services.messages.known import KEY


def headers_of(endpoint: EndpointRow, message_id: str, body: bytes, now: datetime) -> dict[str, str]:
    """Return all headers of a message that is sent at `now`, except `host`.

    Raises:
        Locked: the endpoint's keys cannot be opened.
        Conflict: a key or the headers are damaged.
    """
    timestamp_s = int(now.timestamp())
    return own_headers(endpoint) | {
        "content-type": "application/json",
        "user-agent": "cellar",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": signatures_of(_keys(endpoint, now), message_id, timestamp_s, body),
    }


def own_headers(endpoint: EndpointRow) -> dict[str, str]:
    """Return the headers that a person gave the endpoint. Raises as `headers_of` does."""
    values = sealed_headers(endpoint).items()
    return {name: kept_endpoints.opened(endpoint.name, _bound_to(name), sealed) for name, sealed in values}


def sealed_headers(endpoint: EndpointRow) -> dict[str, str]:
    """Return the endpoint's own headers with sealed values. It needs no key."""
    headers: dict[str, str] = json.loads(endpoint.headers or "{}")
    return headers


def with_sealed_values(name: str, headers: Mapping[str, str]) -> str:
    """Return headers as `EndpointRow.headers` keeps them. Raises as `kept_endpoints.sealed` does."""
    return json.dumps({each: kept_endpoints.sealed(name, _bound_to(each), headers[each]) for each in headers})


def _bound_to(header: str) -> str:
    return f"header {header.lower()}"


def _keys(endpoint: EndpointRow, now: datetime) -> list[SigningKey]:
    """Return the keys that sign at a time, newest first. During a rotation there are two or more."""
    signing = [each for each in endpoint.signing_keys if each.signs_at(now)]
    if not signing:
        raise Locked(f"the endpoint {endpoint.name} has no key yet: restore secrets/seal, by which it is sealed")
    return [key_of(kept_endpoints.opened(endpoint.name, KEY, each.sealed)) for each in signing]


log = structlog.get_logger()

NOT_DELIVERABLE: Code = "NOT_DELIVERABLE"
_LONGEST_WAIT_S = 30
_LOOK_AGAIN_S = 1
_SHORTEST_PART = 8
_UNCALLED = {"BAD_ENDPOINT": Sentence.bad_url(), "PRIVATE_ENDPOINT": Sentence.private_address()}
_CHECKED_AFTER = timedelta(seconds=1)

_recorder = Grouped(attempts.record_all, most=200)
"""Attempts at all endpoints share their transactions: SQLite takes one at a time, and each ends with an fsync."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """The result of an attempt. `status_code` is None if no answer came; `error` then says why.

    `was_made`: the endpoint was called. If it was not, `error` says why, and `state` is the state of the message.
    """

    state: NotificationState
    status_code: int | None = None
    error: Said | None = None
    was_made: bool = True
    made: Made | None = None


class Unconfirmed(Transient):
    """An endpoint has not confirmed its message now."""


async def send(
    message_id: str,
    trigger: AttemptTrigger = AttemptTrigger.AUTOMATIC,
    by: str | None = None,
    *,
    unless_paused: bool = False,
) -> Attempt:
    """Make one attempt at a message now, and record the attempt.

    A message that another attempt has delivered since is not sent again, except by a forced attempt. While another
    attempt is under way, this one waits for its end.

    Args:
        by: the person who asks for it.
        unless_paused: make no attempt while the endpoint fails and another message probes it.

    Raises:
        Locked: the endpoint's keys cannot be opened.
    """
    until_s = time.monotonic() + _LONGEST_WAIT_S
    while True:
        take = partial(queues.take, message_id, datetime.now(UTC), trigger, unless_paused=unless_paused)
        taken = await in_thread(take)
        if taken != queues.UNDER_WAY or time.monotonic() > until_s:
            break
        await asyncio.sleep(_LOOK_AGAIN_S)
    if isinstance(taken, Said):
        message = await in_thread(notifications.get, message_id)
        return Attempt(NotificationState(message.state), error=taken, was_made=False)
    async with downstream.line() as line:
        return await send_taken(taken, line, trigger, by)


async def send_taken(
    taken: Taken, line: downstream.Line, trigger: AttemptTrigger = AttemptTrigger.AUTOMATIC, by: str | None = None
) -> Attempt:
    """Send a message that was taken, and record the attempt. Raises as `send` does.

    The next attempt after a redelivery has the trigger and the person of the redelivery. A message that waited for its
    turn is sent only if it is still for this process and for its endpoint.
    """
    if trigger is AttemptTrigger.AUTOMATIC and taken.message.next_trigger:
        trigger, by = AttemptTrigger(taken.message.next_trigger), taken.message.next_by
    now = datetime.now(UTC)
    if now - taken.taken_at > _CHECKED_AFTER:
        still = await in_thread(queues.taken_still, taken, now)
        if still is None:
            message = await in_thread(notifications.find, taken.message.message_id)
            if message is None:
                return Attempt(NotificationState.SKIPPED, was_made=False)
            why = queues.why_not(message) or queues.UNDER_WAY
            return Attempt(NotificationState(message.state), error=why, was_made=False)
        taken = still
    body = taken.body.encode() if taken.body is not None else await in_thread(_body, taken.message)
    made = await try_once(taken.endpoint, taken.message.message_id, body, line)
    recorded = replace(made, trigger=trigger, by=by)
    state = await _recorder.done((taken, recorded))
    return Attempt(state, made.status_code, made.error, made=made)


def told(endpoint: str, message_id: str, made: Made | None, why_not: Said | None = None) -> EndpointTest:
    """Return for a person what became of an attempt, or why none was made."""
    return EndpointTest(
        endpoint=endpoint,
        message_id=message_id,
        delivered=made is not None and is_confirmation(made.status_code),
        stage=made and made.stage,
        status_code=made and made.status_code,
        **in_words(why=made.error if made else why_not),
        duration_s=made and round((made.ended_at - made.began_at).total_seconds(), 3),
        answer=made and made.answer,
    )


async def try_once(endpoint: EndpointRow, message_id: str, body: bytes, line: downstream.Line) -> Made:
    """Send a message to an endpoint, once, and record nothing.

    Raises Locked if the endpoint's keys cannot be opened.
    """
    began_at = datetime.now(UTC)
    headers = await in_thread(headers_of, endpoint, message_id, body, began_at)
    with span("notification", message_id=message_id) as noted:
        made = await _answered(endpoint, headers, body, line, began_at)
        noted.note(confirmed=is_confirmation(made.status_code), status_code=made.status_code or 0)
    log.info(
        "message sent",
        message_id=message_id,
        outcome="confirmed" if is_confirmation(made.status_code) else "not confirmed",
        status_code=made.status_code,
        stage=made.stage,
        why=made.error and word(made.error),
        size_bytes=len(body),
        duration_s=round((made.ended_at - began_at).total_seconds(), 3),
    )
    return made


async def _answered(
    endpoint: EndpointRow, headers: Mapping[str, str], body: bytes, line: downstream.Line, began_at: datetime
) -> Made:
    jitter = random.random()  # noqa: S311 -- no secret
    try:
        answer = await line.post(endpoint.url, headers, body)
    except downstream.Unanswered as error:
        return Made(began_at, datetime.now(UTC), stage=error.stage, error=error.why, jitter=jitter)
    except Refused as error:
        return Made(began_at, datetime.now(UTC), stage=Stage.RESOLVE, error=_UNCALLED.get(error.code), jitter=jitter)
    now, confirmed = datetime.now(UTC), is_confirmation(answer.status_code)
    return Made(
        began_at,
        now,
        answer.status_code,
        stage=None if confirmed else Stage.STATUS,
        error=None if confirmed else Sentence.endpoint_answered(status=answer.status_code),
        answer=kept_text(answer.body, _secrets(endpoint.url, headers)),
        retry_after=None if confirmed else retry_after(answer.retry_after, now),
        jitter=jitter,
    )


def _secrets(url: str, headers: Mapping[str, str]) -> list[str]:
    """Return what an answer may repeat of a message, whole or in parts: `invalid token abc` after `Bearer abc`."""
    parts = [part for value in headers.values() for part in value.split() if len(part) >= _SHORTEST_PART]
    return [url, *tokens_of(url), *headers.values(), *parts]


def check_confirmed(message_id: str, made: Attempt) -> None:
    """Raise unless the endpoint has confirmed the message.

    Raises:
        Refused: the endpoint is gone for good, or the message is given up.
        Unconfirmed: the endpoint does not confirm now.
    """
    if made.state is NotificationState.PENDING:
        why = made.error or Sentence.endpoint_answered(status=made.status_code)
        raise Unconfirmed(Sentence.endpoint_unconfirmed(why=why), system=System.ENDPOINT)
    if made.state is not NotificationState.DELIVERED:
        raise Refused(NOT_DELIVERABLE, f"message {message_id}: {word(made.error or Sentence.endpoint_gone())}")


def is_of_endpoint(error: BaseException) -> bool:
    """Return whether an error says that an endpoint has not confirmed, as `check_confirmed` raises it."""
    return isinstance(error, Unconfirmed) or (isinstance(error, Refused) and error.code == NOT_DELIVERABLE)


def _body(notification: NotificationRow) -> bytes:
    """Return the body of a message of an earlier build, which has no event: it is made again."""
    if notification.event == EventType.DELIVERY_REFUSED:
        return delivery_refused(notification.receipt_id, notification.planned_at).body
    return completed(notification.reference, notification.receipt_id, notification.planned_at).body

"""The queues of endpoints in the database: which messages may be sent now, and when a queue is emptied."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, or_, select, update

from adapters.database.noted import note_rows
from adapters.database.transactions import pages, read_all, writing
from adapters.tables.messages.notifications import note_beside
from domain.messages.attempts import Health, is_given_up
from domain.messages.endpoints import why_disabled
from domain.words.catalogue import in_words, word
from models.messages.notification import AttemptTrigger, EndpointRow, EventRow, NotificationRow, NotificationState
from models.runs.receipt import ReceiptRow
from models.said import Said, Sentence, moment, said_by

EXPIRED = Sentence.not_confirmed_in_time()
UNDER_WAY = Sentence.attempt_under_way()
_CLAIMED_FOR = timedelta(seconds=25)
"""Longer than an attempt takes. After that, the process that makes it is gone. It is no lease: nobody renews it."""
_PAGE_CLAIMED_FOR = timedelta(seconds=120)
_PROBED_FOR = timedelta(seconds=30)
_LAST_ATTEMPT_WITHIN = timedelta(minutes=10)
MOST_ACTIONS = 100
"""What people did to an endpoint before its last 100 actions is forgotten."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A message that this process may send, once. `body` is None where no event has it."""

    message: NotificationRow
    endpoint: EndpointRow
    body: str | None
    taken_at: datetime


def take(message_id: str, now: datetime, trigger: AttemptTrigger, *, unless_paused: bool) -> Taken | Said:
    """Take a message for one attempt, whenever it is due, or return why no attempt may be made.

    Args:
        unless_paused: leave the message alone while its endpoint fails and is not to be tried yet.
    """
    with writing() as session:
        message = session.get_one(NotificationRow, message_id, with_for_update=True)
        endpoint = session.get(EndpointRow, message.endpoint_name, with_for_update=True)
        if endpoint is None:
            return Sentence.endpoint_left()
        if why := _why_not(session, message, endpoint, trigger, now):
            return why
        if unless_paused and (why := _why_paused(endpoint, now)):
            return why
        if unless_paused and endpoint.failing_since and endpoint.paused_until:
            endpoint.paused_until = now + _PROBED_FOR
        message.claimed_until = now + _CLAIMED_FOR
        return Taken(message, endpoint, _bodies(session, [message]).get(message.event_id), now)


def take_due(endpoint_name: str, now: datetime, limit: int) -> list[Taken]:
    """Take the next messages to an endpoint that are due, in their order; of a failing endpoint one at a time.

    Messages that a person redelivers follow the others: they may be very many, and new messages do not wait for them.
    Returns no message while the endpoint is paused. An endpoint that has failed for too long is disabled here.
    """
    with writing() as session:
        endpoint = session.get(EndpointRow, endpoint_name, with_for_update=True)
        if not endpoint:  # a rebuild found no definition that it could read
            empty_queue(session, endpoint_name, Sentence.endpoint_removed())
            return []
        if _has_left(session, endpoint, now) or _why_paused(endpoint, now):
            return []
        found = select(NotificationRow).where(NotificationRow.endpoint_name == endpoint_name, *_due(now))
        is_redelivered = col(NotificationRow.next_trigger).is_not(None)
        found = found.order_by(is_redelivered, col(NotificationRow.planned_at), col(NotificationRow.message_id))
        found = found.limit(1 if endpoint.failing_since else limit).with_for_update(skip_locked=True)
        messages = list(session.exec(found))
        if messages and endpoint.failing_since:
            endpoint.paused_until = now + _PROBED_FOR
        bodies = _bodies(session, messages)
        for message in messages:
            message.claimed_until = now + _PAGE_CLAIMED_FOR
        return [Taken(message, endpoint, bodies.get(message.event_id), now) for message in messages]


def taken_still(taken: Taken, now: datetime) -> Taken | None:
    """Return a message that was taken some time ago with its endpoint as it is now. None if it may not be sent now: its
    endpoint has left, the claim ended and another process has taken it, or its archive was erased.
    """
    with writing() as session:
        message = session.get(NotificationRow, taken.message.message_id, with_for_update=True)
        if message is None:
            return None
        endpoint = session.get(EndpointRow, message.endpoint_name, with_for_update=True)
        is_ours = message.claimed_until == taken.message.claimed_until and message.state == taken.message.state
        if not is_ours or endpoint is None or _has_left(session, endpoint, now):
            return None
        message.claimed_until = now + _CLAIMED_FOR
        return replace(taken, message=message, endpoint=endpoint, taken_at=now)


def release(taken: Iterable[Taken]) -> None:
    """Release messages that were taken and are not sent now. What another process has taken since stays taken."""
    with writing() as session:
        for each in taken:
            ours = (
                col(NotificationRow.message_id) == each.message.message_id,
                col(NotificationRow.claimed_until) == each.message.claimed_until,
            )
            session.execute(update(NotificationRow).where(*ours).values(claimed_until=None))


def endpoints_with_due(now: datetime) -> list[str]:
    """Return the names of the endpoints that have a message to send now."""
    paused = (col(EndpointRow.paused_until) > now, col(EndpointRow.disabled_at).is_(None))
    names = select(NotificationRow.endpoint_name).where(
        *_due(now), col(NotificationRow.endpoint_name).not_in(select(EndpointRow.name).where(*paused))
    )
    return sorted(read_all(names.distinct()))


def give_up_expired(now: datetime) -> list[NotificationRow]:
    """Make the messages dead that have expired, and return them."""
    expired = col(NotificationRow.expires_at) < now - _LAST_ATTEMPT_WITHIN
    with writing() as session:
        found = select(NotificationRow).where(NotificationRow.state == NotificationState.PENDING, expired)
        messages = list(session.exec(found.with_for_update(skip_locked=True)))
        for message in messages:
            die(message, EXPIRED)
        note_beside(session, col(NotificationRow.message_id).in_([each.message_id for each in messages]))
        return messages


def disable_by_itself(session: Session, endpoint: EndpointRow, now: datetime, why: Said) -> None:
    """Disable an endpoint that its answers have disabled, as `disable_within` does, and record it as an action."""
    action = {"at": now.isoformat(), "by": "cellar", "what": f"disabled: {word(why)}"}
    endpoint.actions = [*endpoint.actions[1 - MOST_ACTIONS :], action]
    disable_within(session, endpoint, now, why)


def disable_within(session: Session, endpoint: EndpointRow, now: datetime, why: Said) -> None:
    """Disable an endpoint in the caller's transaction, and empty its queue."""
    endpoint.sqlmodel_update({"disabled_at": now} | in_words(disabled_why=why))
    empty_queue(session, endpoint.name, why_disabled(endpoint))


def empty_queue(session: Session, endpoint_name: str, why: Said) -> None:
    """Skip the messages to an endpoint that are pending, in the caller's transaction.

    A message whose attempt is recorded right now is skipped when it is due again. The receipts are noted, so that their
    histories are written again.
    """
    skipped = {"state": NotificationState.SKIPPED, "next_attempt_at": None} | in_words(skipped_why=why)
    left = update(NotificationRow).where(_pending_to(endpoint_name)).values(**skipped)
    returned = left.returning(col(NotificationRow.message_id), col(NotificationRow.receipt_id))
    for page in pages(session.execute(returned).all()):
        note_beside(session, col(NotificationRow.message_id).in_([message_id for message_id, _ in page]))
        note_rows(session, ReceiptRow, [{"receipt_id": receipt_id} for _, receipt_id in page])


def _pending_to(endpoint_name: str, *which: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the condition of the pending messages to an endpoint, without those that another transaction changes.

    It may record an attempt and wait for the endpoint, which the caller has: to wait for it would be a deadlock.
    """
    theirs = select(NotificationRow.message_id).where(
        col(NotificationRow.endpoint_name) == endpoint_name,
        col(NotificationRow.state) == NotificationState.PENDING,
        *which,
    )
    return col(NotificationRow.message_id).in_(theirs.with_for_update(skip_locked=True))


def _due(now: datetime) -> tuple[ColumnElement[bool], ...]:
    claimed_until = col(NotificationRow.claimed_until)
    return (
        col(NotificationRow.state) == NotificationState.PENDING,
        col(NotificationRow.next_attempt_at) <= now,
        or_(claimed_until.is_(None), claimed_until <= now),
    )


def _why_not(
    session: Session, message: NotificationRow, endpoint: EndpointRow, trigger: AttemptTrigger, now: datetime
) -> Said | None:
    if message.state == NotificationState.DELIVERED and trigger is not AttemptTrigger.FORCED:
        return Sentence.delivered_already()
    if _has_left(session, endpoint, now):
        return Sentence.endpoint_left()
    if message.state == NotificationState.SKIPPED and trigger is AttemptTrigger.AUTOMATIC:
        return why_not(message) or Sentence.message_is_skipped()
    return UNDER_WAY if message.claimed_until and message.claimed_until > now else None


def _has_left(session: Session, endpoint: EndpointRow, now: datetime) -> bool:
    """Return whether an endpoint receives nothing any longer. Its queue is empty then."""
    if endpoint.removed_at:
        empty_queue(session, endpoint.name, Sentence.endpoint_removed())
        return True
    if not endpoint.disabled_at and is_given_up(health_of(endpoint), now):
        since = f"{endpoint.failing_since:%Y-%m-%d %H:%M} UTC"
        disable_by_itself(session, endpoint, now, Sentence.nothing_confirmed_since(since=since))
    elif endpoint.disabled_at:
        empty_queue(session, endpoint.name, why_disabled(endpoint))
    return endpoint.disabled_at is not None


def _why_paused(endpoint: EndpointRow, now: datetime) -> Said | None:
    if endpoint.failing_since and endpoint.paused_until and endpoint.paused_until > now:
        return Sentence.endpoint_fails_until(at=moment(endpoint.paused_until))
    return None


def health_of(endpoint: EndpointRow) -> Health:
    return Health(endpoint.failing_since, endpoint.failing_messages, endpoint.paused_until)


def _bodies(session: Session, messages: Iterable[NotificationRow]) -> dict[str | None, str]:
    ids = {each.event_id for each in messages if each.event_id}
    if not ids:
        return {}
    found = select(EventRow.event_id, EventRow.body).where(col(EventRow.event_id).in_(ids))
    return dict(session.exec(found).all())


def make_due(session: Session, endpoint_name: str, now: datetime, *, only_untried: bool) -> None:
    """Make the queue of an endpoint due after an outage, or only what has waited for its first attempt.

    Where a single message has failed, the message may be at fault, and keeps its schedule.
    """
    later = col(NotificationRow.next_attempt_at) > now
    untried = (col(NotificationRow.attempts) == col(NotificationRow.tried_before),) if only_untried else ()
    theirs = _pending_to(endpoint_name, later, *untried)
    session.execute(update(NotificationRow).where(theirs).values(next_attempt_at=now))


def die(message: NotificationRow, why: Said) -> None:
    dead = {"state": NotificationState.DEAD, "next_attempt_at": None}
    message.sqlmodel_update(dead | in_words(skipped_why=why))


def why_not(message: NotificationRow) -> Said | None:
    """Return why a message is skipped or dead."""
    return said_by(message.values or {}, "skipped_why")

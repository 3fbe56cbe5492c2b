"""Attempts at messages in the database, and what follows from each for its message and its endpoint."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from adapters.database.transactions import writing
from adapters.tables.messages.notifications import note_beside
from adapters.tables.messages.queues import EXPIRED, Taken, die, disable_by_itself, health_of, make_due
from domain.messages.attempts import (
    TRIED_FOR,
    Failure,
    Health,
    after_failure,
    is_confirmation,
    is_gone,
    next_attempt,
)
from domain.words.catalogue import in_words
from models.messages.notification import (
    AttemptTrigger,
    EndpointRow,
    EventType,
    NotificationAttemptRow,
    NotificationRow,
    NotificationState,
    Stage,
)
from models.said import Said, Sentence

_MOST_MESSAGES_WITH_LONG_ANSWERS = 20
_LENGTH_OF_OTHER_ANSWERS = 200
_GONE = Sentence.endpoint_gone()


@dataclass(frozen=True, slots=True)
class Made:
    """An attempt that was made. `jitter` is a random number from 0 to 1."""

    began_at: datetime
    ended_at: datetime
    status_code: int | None = None
    stage: Stage | None = None
    error: Said | None = None
    answer: str | None = None
    retry_after: timedelta | None = None
    trigger: AttemptTrigger = AttemptTrigger.AUTOMATIC
    by: str | None = None
    jitter: float = 0


def record_all(attempts: Sequence[tuple[Taken, Made]]) -> list[NotificationState]:
    """Record attempts together, and what follows for their messages and endpoints. Return the states of the messages.

    Two attempts may end at once, and the slower may have failed. Each locks the message's row in turn, so each has a
    number of its own. A delivered message stays delivered.
    """
    message_ids = {taken.message.message_id for taken, _ in attempts}
    by_message = select(NotificationRow).where(col(NotificationRow.message_id).in_(message_ids))
    with writing() as session:
        # In one order everywhere, messages before endpoints: two processes must not wait for each other.
        messages = session.exec(by_message.order_by(NotificationRow.message_id).with_for_update()).all()
        recording = _Recording(session, {each.message_id: each for each in messages})
        in_order = sorted(range(len(attempts)), key=lambda index: attempts[index][0].endpoint.name)
        states = {index: recording.record(*attempts[index]) for index in in_order}
        note_beside(session, col(NotificationRow.message_id).in_(message_ids))
        return [states[index] for index in range(len(attempts))]


class _Recording:
    """A transaction that records attempts. It reads and locks each row once."""

    def __init__(self, session: Session, messages: Mapping[str, NotificationRow]) -> None:
        self._session = session
        self._messages = messages
        self._endpoints: dict[str, EndpointRow | None] = {}

    def record(self, taken: Taken, made: Made) -> NotificationState:
        message = self._messages.get(taken.message.message_id)
        if message is None:  # its archive was erased meanwhile
            return NotificationState.SKIPPED
        is_first = message.attempts == message.tried_before
        message.attempts += 1
        message.claimed_until = None
        confirmed = is_confirmation(made.status_code)
        failure = Failure(
            made.began_at, made.ended_at, made.status_code, made.retry_after, is_first_of_message=is_first,
            jitter=made.jitter,
        )  # fmt: skip
        _settle(message, failure, confirmed=confirmed)
        if made.trigger is not AttemptTrigger.AUTOMATIC or confirmed:
            message.next_trigger = message.next_by = None
        endpoint = self._changed_endpoint(taken.endpoint, failure, confirmed=confirmed)
        self._session.add(_row(self._session, message, taken.endpoint, made, endpoint))
        if endpoint and is_gone(made.status_code):
            disable_by_itself(self._session, endpoint, made.ended_at, _GONE)
        return NotificationState(message.state)

    def _changed_endpoint(self, taken: EndpointRow, failure: Failure, *, confirmed: bool) -> EndpointRow | None:
        """Return the endpoint, locked, with its health after an attempt; None where a confirmation changes nothing."""
        if confirmed and not taken.failing_since:
            return None
        if taken.name not in self._endpoints:
            self._endpoints[taken.name] = self._session.get(EndpointRow, taken.name, with_for_update=True)
        endpoint = self._endpoints[taken.name]
        if endpoint:
            _change(self._session, endpoint, failure, confirmed=confirmed)
        return endpoint


def _settle(message: NotificationRow, failure: Failure, *, confirmed: bool) -> None:
    """Set the state of a message after an attempt."""
    if message.state == NotificationState.DELIVERED:
        return
    if confirmed:
        message.state, message.skipped_why, message.values = NotificationState.DELIVERED, None, None
        message.delivered_at, message.next_attempt_at = failure.ended_at, None
    elif is_gone(failure.status_code):
        die(message, _GONE)
    elif message.state == NotificationState.PENDING:
        expires_at = message.expires_at or message.planned_at + TRIED_FOR
        message.next_attempt_at = next_attempt(message.attempts - message.tried_before, expires_at, failure)
        if not message.next_attempt_at:
            die(message, EXPIRED)


def _change(session: Session, endpoint: EndpointRow, failure: Failure, *, confirmed: bool) -> None:
    """Give an endpoint the health that follows from an attempt."""
    before = health_of(endpoint)
    endpoint.sqlmodel_update(asdict(Health() if confirmed else after_failure(before, failure)))
    if confirmed and before.failing_since:
        make_due(session, endpoint.name, failure.ended_at, only_untried=before.failing_messages == 1)


def _row(
    session: Session, message: NotificationRow, taken: EndpointRow, made: Made, endpoint: EndpointRow | None
) -> NotificationAttemptRow:
    return NotificationAttemptRow(
        message_id=message.message_id,
        attempt=message.attempts,
        trigger=made.trigger,
        by=made.by,
        url=taken.url,
        attempted_at=made.began_at,
        duration_s=round((made.ended_at - made.began_at).total_seconds(), 3),
        status_code=made.status_code,
        stage=made.stage,
        **in_words(error=made.error),
        answer=_new_answer(session, message, made.answer, endpoint),
        next_attempt_at=message.next_attempt_at,
    )


def _new_answer(
    session: Session, message: NotificationRow, answer: str | None, endpoint: EndpointRow | None
) -> str | None:
    """Return an answer unless it equals the last one on record. So a long outage stores few long answers. An answer
    about an erased archive may repeat its reference, and is not kept.
    """
    if answer is None or message.event == EventType.ARCHIVE_ERASED:
        return None
    if endpoint and endpoint.failing_messages > _MOST_MESSAGES_WITH_LONG_ANSWERS:
        answer = answer[:_LENGTH_OF_OTHER_ANSWERS]
    if message.attempts == 1:
        return answer
    number = col(NotificationAttemptRow.attempt)
    kept = select(NotificationAttemptRow.answer).where(NotificationAttemptRow.message_id == message.message_id)
    kept = kept.where(col(NotificationAttemptRow.answer).is_not(None)).order_by(number.desc()).limit(1)
    return None if session.exec(kept).first() == answer else answer

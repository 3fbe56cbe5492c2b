"""Decides what follows from an attempt: when a message is tried again, and what of the answer is kept.

A message has a schedule of its own. An endpoint that fails is probed: one message at a time is tried, and the others
wait without attempts.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from domain.secrets.cards import without_card_numbers
from models.messages.notification import Event, EventType

TRIED_FOR = timedelta(hours=75)
"""A weekend and a holiday."""
MOST_ATTEMPTS = 50
"""The schedule makes some 30 attempts in 75 hours. The rest is for people, and for a queue that is due early."""
_LEFT_TO_RUN_FOR = timedelta(seconds=30)
_SENT_BY_RUNS = {EventType.ARCHIVE_COMPLETED, EventType.ARCHIVE_CHANGED, EventType.ARCHIVE_ATTENTION}
PAUSES = tuple(
    timedelta(seconds=seconds) for seconds in (10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 14400)
)
"""The pauses after the first attempts of a message. The last pause is repeated."""
LONGEST_RETRY_AFTER = timedelta(hours=24)
_FIRST_TRIES_WITHIN = timedelta(seconds=2)
_SHORTEST_PAUSE = timedelta(seconds=10)
_PAUSE_OF_FIRST_MESSAGE = timedelta(minutes=1)
_JITTER = 0.2


@dataclass(frozen=True, slots=True)
class Health:
    """How an endpoint does. `failing_since` is the begin of the first attempt without confirmation since the last one.

    `failing_messages` is the number of messages that have failed since. No attempt is made until `paused_until`; an
    endpoint that fails and has no pause yet may be tried by every message.
    """

    failing_since: datetime | None = None
    failing_messages: int = 0
    paused_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """An attempt without confirmation. `jitter` is a random number from 0 to 1."""

    began_at: datetime
    ended_at: datetime
    status_code: int | None
    retry_after: timedelta | None
    is_first_of_message: bool
    jitter: float


def first_attempt_at(event: Event) -> datetime:
    """Return when the messages about an event are due. The run of an archive sends its messages itself before. Pure."""
    return event.at + _LEFT_TO_RUN_FOR if event.type in _SENT_BY_RUNS else event.at


def is_confirmation(status_code: int | None) -> bool:
    """Return whether an answer confirms a message. Pure."""
    return status_code is not None and HTTPStatus.OK <= status_code < HTTPStatus.MULTIPLE_CHOICES


def is_gone(status_code: int | None) -> bool:
    """Return whether an answer says that the endpoint wants no message ever again. Pure."""
    return status_code == HTTPStatus.GONE


def retry_after(header: str | None, now: datetime) -> timedelta | None:
    """Return the pause that a `Retry-After` header asks for: seconds or a date. None for any other text.

    At most a day, since a wrong date must not silence an endpoint. Pure.

    Source: RFC 9110, 10.2.3.
    """
    text = (header or "").strip()
    try:
        if text.isascii() and text.isdigit():
            asked = timedelta(seconds=min(int(text[:9]), 10**8))
        else:
            asked = parsedate_to_datetime(text) - now
    except (ValueError, TypeError, OverflowError):  # a date without a zone cannot be compared
        return None
    return min(max(asked, timedelta(0)), LONGEST_RETRY_AFTER)


def next_attempt(attempts: int, expires_at: datetime, failure: Failure) -> datetime | None:
    """Return when a message is tried again after so many attempts; None if it is given up. Pure.

    The last attempt is made when the message expires.
    """
    now = failure.ended_at
    if attempts >= MOST_ATTEMPTS or now >= expires_at:
        return None
    pause = PAUSES[min(attempts, len(PAUSES)) - 1] * (1 + _JITTER * failure.jitter)
    return min(now + max(pause, failure.retry_after or pause), expires_at)


def after_failure(health: Health, failure: Failure) -> Health:
    """Return the health of an endpoint after an attempt without confirmation. Pure.

    The pause equals the time since the first failure, so it doubles from 10 s on, up to the longest pause of a message.
    While few messages have failed it stays short: the messages may be at fault, and not the endpoint. The first two
    seconds have no pause, so that a run can repeat its first attempt.
    """
    since = health.failing_since or failure.began_at
    messages = health.failing_messages + (failure.is_first_of_message or not health.failing_since)
    elapsed = failure.ended_at - since
    has_pause = elapsed >= _FIRST_TRIES_WITHIN or failure.retry_after
    pause = min(max(elapsed, _SHORTEST_PAUSE), PAUSES[-1], _PAUSE_OF_FIRST_MESSAGE * 2 ** min(messages - 1, 10))
    pause = max(pause * (1 + _JITTER * failure.jitter), failure.retry_after or pause)
    return Health(since, messages, failure.ended_at + pause if has_pause else health.paused_until)


def is_given_up(health: Health, now: datetime) -> bool:
    """Return whether an endpoint has failed for so long that it is disabled. Pure.

    A single message that fails proves nothing about the endpoint.
    """
    return health.failing_since is not None and health.failing_messages > 1 and now - health.failing_since >= TRIED_FOR


MOST_KEPT = 4096
"""The length of a kept text, in characters."""
_SHORTEST_SECRET = 6
_MAIL = re.compile(r"[\w.+%'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_KEY = re.compile(r"(?:whsec_|whsk_|v1a?,)[A-Za-z0-9+/=_-]{8,}")
_TOKEN = re.compile(r"(?i)\b(bearer|basic)(\s+)[A-Za-z0-9+/=._~-]{8,}")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def kept_text(body: bytes, secrets: Iterable[str] = ()) -> str | None:
    """Return the beginning of an answer as it is kept, or None for an empty answer. Pure.

    Args:
        body: bytes of any kind, which may end anywhere.
        secrets: what the message itself has and the answer may repeat.
    """
    text = body.decode(errors="replace")
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "***")
    text = _TOKEN.sub(r"\1\2***", _KEY.sub("***", _MAIL.sub("***", text)))
    return _UNPRINTABLE.sub(" ", without_card_numbers(text))[:MOST_KEPT].strip() or None

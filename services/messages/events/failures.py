"""Announces the receipts that have failed for good, each failure once."""

from datetime import datetime

from adapters.tables.runs import runs
from domain.messages.retrying import TRIED_FOR
from models.messages.event import Event
from services.messages.events.archive_events import failed
from services.messages.events.planning import announce, known_endpoints

_MOST_AT_ONCE = 1000


def announce_failure(receipt_id: str) -> list[Event]:
    """Announce that a receipt has failed for good, and return the event; none if it has not. Idempotent.

    Raises:
        Transient: the database does not answer.
    """
    failure = runs.failure_of(receipt_id)
    return [_announced(failed(failure))] if failure else []


def announce_failures(now: datetime) -> list[Event]:
    """Announce the failures of the last days that no event tells: of killed workers, and of cancelled runs.

    Without endpoints no event is kept, so each call would find the same failures again: nothing happens then.

    Raises:
        Transient: the database does not answer.
    """
    if not known_endpoints():
        return []
    return [_announced(failed(each)) for each in runs.failures_without_event(now - TRIED_FOR, _MOST_AT_ONCE)]


def _announced(event: Event) -> Event:
    announce(event)
    return event

"""Counts what waits in the inbox by the names alone: a long queue need not be read."""

from dataclasses import dataclass
from datetime import UTC, datetime

from adapters.files.locations import storage_at
from adapters.inbox.records import ARRIVED_AT
from adapters.settings.settings import settings


@dataclass(frozen=True, slots=True)
class Backlog:
    """The receipts that wait, and the arrival of the oldest delivery."""

    receipts: int
    oldest_at: datetime | None


def backlog() -> Backlog:
    """Return what waits in the inbox.

    Raises:
        Transient: the inbox does not answer.
    """
    names = storage_at(f"{settings().inbox_location}/waiting").names("*")
    oldest = min((name for name in names if name.endswith(".json") and name[0].isdigit()), default=None)
    return Backlog(sum(name.endswith(".body") for name in names), _arrival(oldest) if oldest else None)


def _arrival(name: str) -> datetime:
    """Return the time of arrival, with which the name of a delivery begins."""
    return datetime.strptime(name.partition("-")[0], ARRIVED_AT).replace(tzinfo=UTC)

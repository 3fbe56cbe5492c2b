"""Counts what waits in the inbox by the names alone: a long queue need not be read."""

from dataclasses import dataclass
from datetime import UTC, datetime

from adapters.files.locations import storage_at
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
    place = storage_at(f"{settings().inbox_location}/waiting")
    deliveries = place.names("[0-9]*.json")
    oldest = min(deliveries, default=None)
    return Backlog(len(place.names("*.body")), _arrival(oldest) if oldest else None)


def _arrival(name: str) -> datetime:
    """Return the time of arrival, with which the name of a delivery begins."""
    return datetime.strptime(name.partition("-")[0], "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC)

"""Versions of an archive: which of two receipts of a process is the current one."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Age:
    """When Cellosign made a payload, where it says so, and when it was received first. Times in UTC."""

    event_at: datetime | None
    received_at: datetime
    receipt_id: str


def supersedes(candidate: Age, current: Age) -> bool:
    """Return whether a receipt replaces the rows of the current one. Pure, and a total order.

    What was made later is newer; an old payload that is sent late never takes the place of a newer one. Where the
    payloads do not tell, what was received later is newer.
    """
    if candidate.event_at and current.event_at and candidate.event_at != current.event_at:
        return candidate.event_at > current.event_at
    return (candidate.received_at, candidate.receipt_id) > (current.received_at, current.receipt_id)

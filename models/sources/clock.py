"""Clocks of sources: a source whose times are wrong by a time zone."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Arrival:
    """An arrival from a source: the time that it states, as read in its zone, and the time at which it came."""

    event_at: datetime
    received_at: datetime


@dataclass(frozen=True, slots=True)
class ClockFault:
    """Arrivals whose times only another zone explains: `explained` of `arrivals`.

    `ahead_s` is how much later than they arrived they claim to be, in seconds; negative if earlier.
    """

    zone: str
    better_zone: str
    explained: int
    arrivals: int
    ahead_s: int


@dataclass(frozen=True, slots=True)
class ClockWarning:
    """A source whose clock is wrong by a zone: what was found, and what to do."""

    source: str
    fault: ClockFault
    found: str
    to_do: str

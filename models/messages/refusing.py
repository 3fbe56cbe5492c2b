"""Requests that the receiver turned away, counted."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """How many requests a receiver turned away without keeping their bodies, by the code of the answer."""

    by_code: Mapping[str, int]
    first_at: datetime
    last_at: datetime

"""The overview: what needs a person first, and how the installation went over hours and days."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import BaseModel, Field

from models.store.condition import Subject
from models.views.health import Check
from models.views.troubles import ConditionGroup


@dataclass(frozen=True, slots=True)
class Counted:
    """What happened within an hour, or within a day.

    `failed` counts runs by the code of their cause. `durations_s` counts completions by the time that they took, which
    is rounded. `discrepancies`, `missing` and `undelivered` are by how many more of them there were at its end.
    """

    arrived: int = 0
    completed: int = 0
    refused: int = 0
    failed: Mapping[str, int] = field(default_factory=dict)
    durations_s: Mapping[float, int] = field(default_factory=dict)
    discrepancies: int = 0
    missing: int = 0
    undelivered: int = 0


@dataclass(frozen=True, slots=True)
class Levels:
    """How many discrepancies are open, processes missing and messages undelivered at a moment."""

    discrepancies: int
    missing: int
    undelivered: int


class Period(BaseModel):
    """What happened from `since` until the next period, and what stood open at its end.

    `p50_s` and `p95_s`: half, and 95 of 100, of the completed archives took at most so many seconds from their arrival,
    to two digits; null if none was completed.
    """

    since: datetime
    arrived: int = Field(description="accepted deliveries")
    completed: int = Field(description="completed archives, by the time of completion")
    refused: int = Field(description="refused deliveries")
    failed: dict[str, int] = Field(description="runs that failed for good, by the code of the cause")
    p50_s: float | None
    p95_s: float | None
    open_discrepancies: int
    missing: int = Field(description="missing processes")
    undelivered: int = Field(description="messages that were planned and not delivered")


class Waiting(BaseModel):
    """What waits in the inbox. `oldest_at`: when the oldest delivery arrived."""

    receipts: int
    oldest_at: datetime | None


class Attention(BaseModel):
    """What needs a person."""

    conditions: list[ConditionGroup] = Field(description="what is wrong now, by code and what tells it from others")
    parts: list[Check] = Field(description="parts of the system that are not well")

    @property
    def is_needed(self) -> bool:
        return bool(self.conditions or self.parts)

    def by_code(self) -> dict[str, list[ConditionGroup]]:
        """Return the conditions by code, in their order. The check of the store shows what is wrong beside archives."""
        found: dict[str, list[ConditionGroup]] = {}
        for each in self.conditions:
            if each.kind is not Subject.STORE:
                found.setdefault(each.code, []).append(each)
        return found


class Overview(BaseModel):
    """The installation at one glance. What cannot be known in time is null, and is known at the next request.

    `hours` are the last 24 and the current one, `days` the last 30 and the current one, in the zone of the settings.
    `minutes` are five each, and none later than two hours after `first_at`.
    """

    at: datetime
    first_at: datetime | None = Field(description="when the first delivery arrived, accepted or refused")
    attention: Attention
    minutes: list[Period]
    hours: list[Period]
    days: list[Period] | None
    waiting: Waiting | None
    parts: list[Check] | None = Field(description="the state of each part of the system")

"""What the commands of this room print as JSON."""

from datetime import datetime

from pydantic import BaseModel, Field

from adapters.inbox.inbox import Backlog
from adapters.tables.runs.waiting import Waits
from models.views.health import Check
from models.views.troubles import ConditionGroup, FailureGroup, Failures


class WaitView(BaseModel):
    """Archives that wait for a system and are tried again by themselves."""

    waits_for: str
    archives: int
    since: datetime

    @classmethod
    def of(cls, waits: Waits) -> "WaitView":
        return cls(waits_for=waits.waits_for, archives=waits.runs, since=waits.since)


class FailuresAndWaits(Failures):
    waiting: list[WaitView]
    conditions: list[ConditionGroup] = Field(default_factory=list)


class MissingCount(BaseModel):
    """How many processes are missing, and the nearest time at which Cellosign deletes one."""

    processes: int
    nearest_deadline_at: datetime | None


class Status(BaseModel):
    """The state of the installation. What a system that is away would say is null."""

    version: str
    is_well: bool
    checks: list[Check]
    archives: dict[str, int] | None
    failures: list[FailureGroup] | None
    waiting: list[WaitView] | None
    conditions: list[ConditionGroup] | None
    refused: int | None
    missing: MissingCount | None
    inbox: Backlog | None
    workers: list[str] | None
    runs_in_progress: int | None


class Diagnosis(BaseModel):
    is_well: bool
    checks: list[Check]

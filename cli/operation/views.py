"""What the commands of this room print as JSON."""

from datetime import datetime

from pydantic import BaseModel

from adapters.database.waiting import Waits
from models.views.failures import Failures


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

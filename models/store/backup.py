"""Backups: what a place has of them, what is known of the last, and what a restore has restored."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup in its place. All that was acknowledged before `at` is in it, once it `is_finished`.

    `parts`: the ids of its snapshots, by what they have. `lacks`: how many files could not be read.
    """

    name: str
    at: datetime
    parts: Mapping[str, str]
    is_finished: bool
    lacks: int


class LastBackup(BaseModel):
    """The last backup that came to its end. `failure`: why a later backup did not."""

    at: datetime | None = None
    ended_at: datetime | None = None
    location: str = ""
    lacks: int = 0
    size_bytes: int = 0
    added_bytes: int = 0
    unread: list[str] = []
    failure: str = ""


class Restored(BaseModel):
    """What a restore has restored, of the backup of `at`. What came until `ended_at` may be lost.

    `findings`: what verify found. `is_whole`: nothing is damaged, and the backup lacked nothing.
    """

    at: datetime
    archives: int
    waiting: int
    settled: int
    erased: int
    lacks: int
    damaged: list[str]
    findings: int
    is_whole: bool


class LastDrill(BaseModel):
    """The last drill: the backup of `of` was restored elsewhere and compared. `failure`: why it broke off."""

    at: datetime
    of: datetime | None = None
    archives: int = 0
    later: int = 0
    differing: int = 0
    took_s: float = 0
    failure: str = ""

    @property
    def is_well(self) -> bool:
        return not (self.failure or self.differing)

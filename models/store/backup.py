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
    """The last backup that came to its end. `failure`: why a later backup did not. `damaged`: how many files of the
    store a check had found damaged or missing, which are so in this backup too.
    """

    at: datetime | None = None
    ended_at: datetime | None = None
    location: str = ""
    lacks: int = 0
    damaged: int = 0
    size_bytes: int = 0
    added_bytes: int = 0
    unread: list[str] = []
    failure: str = ""


class Restored(BaseModel):
    """What a restore has restored, of the backup of `at`. What came until `ended_at` may be lost.

    `findings`: how much verify found, and `wrong` where: an archive by its reference, else a file by its key.
    `is_whole`: nothing is damaged, and the backup lacked nothing.
    """

    at: datetime
    archives: int
    waiting: int
    settled: int
    erased: int
    lacks: int
    damaged: list[str]
    findings: int
    wrong: list[str]
    is_whole: bool


class LastDrill(BaseModel):
    """The last drill: the backup of `of` was restored elsewhere and compared. `failure`: why it broke off.
    `names`: the archives that differ, which are not kept, since no erasure comes to this record.
    """

    at: datetime
    of: datetime | None = None
    archives: int = 0
    later: int = 0
    differing: int = 0
    names: list[str] = []
    took_s: float = 0
    failure: str = ""

    @property
    def is_well(self) -> bool:
        return not (self.failure or self.differing)

"""Cellosign's own list of its processes, and how it differs from the archives."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from models.completeness.processes import Why

Cell = str | int | float | datetime | date | None


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A row of a sheet as its file has it. `number` is the number that a spreadsheet shows beside it."""

    sheet: int
    number: int
    cells: list[Cell]


class Standing(StrEnum):
    """How far a process is, by its status in the list. `unknown`: there is no such column, or no such word."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    OPEN = "open"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ListedTime:
    """A time of the list. Without a zone unless the list states it; `is_day`: only the day is stated."""

    stated: datetime
    is_day: bool = False


@dataclass(frozen=True, slots=True)
class ListedProcess:
    """A row of the list. `source` is None where the list stands for all sources."""

    row: int
    process_number: int | None
    transaction_number: int | None
    created: ListedTime
    ended: ListedTime | None = None
    standing: Standing = Standing.UNKNOWN
    source: str | None = None


@dataclass(frozen=True, slots=True)
class UnreadRow:
    """A cell that cannot be read. `column` is the heading that the settings name. Never has the value."""

    row: int
    column: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class ProcessList:
    """A list that was read. `unread_count` counts all cells that could not be read, `unread` has the first of them.

    `left_out` counts rows of other sources than the wanted one.
    """

    processes: list[ListedProcess]
    unread: list[UnreadRow]
    unread_count: int = 0
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class ArchivedProcess:
    """A session of an archive, or an archive whose sessions are not loaded."""

    reference: str
    source: str
    process_number: int | None
    transaction_number: int | None
    created_at: datetime | None
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Heard:
    """What session events say of a process: when a form was submitted last, and whether a session has ended."""

    submitted_at: datetime | None = None
    has_ended: bool = False


class DifferenceKind(StrEnum):
    """`missing`: listed and not archived. `unknown_there`: archived and not listed. Else it is on both sides."""

    MISSING = "missing"
    UNKNOWN_THERE = "unknown_there"
    DIFFERENT_TIME = "different_time"
    DIFFERENT_COUNT = "different_count"


@dataclass(frozen=True, slots=True)
class ListDifference:
    """A difference between list and archives. `rows` are rows of the list, `deadline_at` and `missing_id` those of a
    missing process.

    `ahead_s` is how much later the list's time is, in seconds.
    """

    kind: DifferenceKind
    source: str | None
    process_number: int | None
    transaction_number: int | None
    rows: tuple[int, ...] = ()
    reference: str | None = None
    listed: str = ""
    archived: str = ""
    since: datetime | None = None
    deadline_at: datetime | None = None
    ahead_s: float | None = None
    missing_id: str | None = None


@dataclass(frozen=True, slots=True)
class ListedFinding:
    """What a list needs to know of the finding of a missing process; the row has more."""

    missing_id: str
    source: str
    process_number: int | None
    transaction_number: int | None
    since: datetime
    deadline_at: datetime
    closed_why: str | None = None
    why: str = Why.LISTED.value


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a list and the archives say of each other, in rows of the list.

    `not_due` rows have no archive yet and need none: the process is open, or only just over. `zone_hint` is what would
    explain most differences in time.
    """

    listed: int
    matched: int
    not_due: int
    differences: list[ListDifference]
    zone_hint: str = ""

    @property
    def counts(self) -> Mapping[DifferenceKind, int]:
        return {kind: sum(each.kind is kind for each in self.differences) for kind in DifferenceKind}

"""Says what must come of a fortnight, from its plan alone: findings, alerts, messages. Pure.

It knows the documented rules and none of cellar's code: a submission is missing after an hour; Cellosign deletes it
after 48 hours, and what failed after 168; alerts come 24, 12 and 2 hours before.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.fortnight.plan import Fate, Fortnight, PlannedProcess, round_after

_ARCHIVED_WITHIN = timedelta(hours=1)
_DELETED_AFTER = timedelta(hours=48)
_FAILURE_DELETED_AFTER = timedelta(hours=168)
_ALERTS_H = (24, 12, 2)


@dataclass(frozen=True, slots=True)
class ExpectedFinding:
    """A missing process. `alerts` are the hours before the deadline, each with its round."""

    reference: str
    source: str
    why: str
    opened_at: datetime
    deadline_at: datetime
    closed_at: datetime
    closed_why: str
    alerts: tuple[tuple[int, datetime], ...]


@dataclass(frozen=True, slots=True)
class Expected:
    """What must have come of a fortnight. `events` are counted by type."""

    archives: frozenset[str]
    session_events: int
    findings: tuple[ExpectedFinding, ...]
    events: Counter[str] = field(default_factory=Counter)


def expected(fortnight: Fortnight) -> Expected:
    findings = tuple(each for each in map(_finding, fortnight.processes) if each)
    archives = frozenset(each.reference for each in fortnight.processes if each.archive_at)
    missing = sum(1 + len(each.alerts) for each in findings)
    events = Counter({"archive.completed": len(archives), "process.missing": missing})
    return Expected(archives, sum(len(each.events) for each in fortnight.processes), findings, events)


def _finding(process: PlannedProcess) -> ExpectedFinding | None:
    if process.ended_at is None or process.fate is Fate.PROMPT:
        return None
    submitted = process.fate not in (Fate.EXPIRED, Fate.DELETED)
    due_at = process.ended_at + (_ARCHIVED_WITHIN if submitted else timedelta(0))
    opened_at = round_after(max(due_at, process.events[-1].arrives_at[0]))
    deadline_at = process.ended_at + (_DELETED_AFTER if submitted else _FAILURE_DELETED_AFTER)
    closed_at = round_after(process.archive_at or deadline_at)
    return ExpectedFinding(
        process.reference,
        process.source,
        "submitted" if submitted else process.events[-1].type.removeprefix("WHEF_SESSION_").lower(),
        opened_at,
        deadline_at,
        closed_at,
        "archived" if process.archive_at else "deleted",
        tuple(_alerts(deadline_at, closed_at)),
    )


def _alerts(deadline_at: datetime, closed_at: datetime) -> Iterator[tuple[int, datetime]]:
    """Yield the alerts before a finding closes. A round closes what has arrived before it alerts."""
    for hours in _ALERTS_H:
        at = round_after(deadline_at - timedelta(hours=hours))
        if at < closed_at:
            yield hours, at

"""Decides what becomes of the finding about a process: it opens, changes, closes, or stays as it is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from domain.completeness.missing import Arrival, Decision, Missing, Standing
from domain.completeness.processes import ProcessId, missing_id_of
from models.completeness.processes import Closing, MissingProcessRow, SessionEventRow, Why


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be written about a finding. `opening` is a new finding; `values` are those of a known finding."""

    opening: MissingProcessRow | None = None
    missing_id: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    closing: Closing | None = None


def answered_at(findings: Iterable[MissingProcessRow]) -> datetime | None:
    """Return up to when earlier findings about a process answer its submissions, None if none does. Pure."""
    return max(filter(None, map(_answered_at, findings)), default=None)


def _answered_at(finding: MissingProcessRow) -> datetime | None:
    """Return when a person dismissed a finding. A lost process answers what had been deleted when it was closed: a
    later submission, whose event comes late, may still be there.
    """
    if finding.closed_at is None or finding.closed_why not in (Closing.DISMISSED, Closing.DELETED):
        return None
    is_dismissed = finding.closed_why == Closing.DISMISSED
    return finding.closed_at if is_dismissed else finding.since + (finding.closed_at - finding.deadline_at)


def change_of(
    process: ProcessId,
    events: Sequence[SessionEventRow],
    findings: Sequence[MissingProcessRow],
    decision: Decision,
    now: datetime,
    *,
    has_arrived: bool,
) -> Change:
    """Return what becomes of the finding about a process that has events. Pure.

    Its events say more than a list. But a list shows that Cellosign has not deleted the process yet, whatever its
    events say, so only an archive closes a finding that a list has made.
    """
    standing = next((each for each in findings if each.closed_at is None), None)
    if standing is None:
        return _opened(process, events, len(findings), decision, now)
    if decision.missing:
        return Change(missing_id=standing.missing_id, values=_moved(standing, process, events, decision.missing, now))
    if decision.standing is Standing.ARRIVED and (has_arrived or standing.why != Why.LISTED):
        return Change(missing_id=standing.missing_id, closing=Closing.ARCHIVED)
    if decision.standing is Standing.GOES_ON and standing.why != Why.LISTED:
        return Change(missing_id=standing.missing_id, closing=Closing.CONTINUED)
    return Change()


def change_without_events(finding: MissingProcessRow, arrivals: Sequence[Arrival]) -> Change:
    """Return what becomes of a finding that no event made: anything that arrives closes it. Pure."""
    return Change(missing_id=finding.missing_id, closing=Closing.ARCHIVED) if arrivals else Change()


def _opened(
    process: ProcessId, events: Sequence[SessionEventRow], earlier: int, decision: Decision, now: datetime
) -> Change:
    """Return a new finding. If its deadline has passed already, it is in the history alone, and nobody is alerted."""
    missing = decision.missing
    if decision.standing is not Standing.MISSING or missing is None:
        return Change()
    is_late = missing.deadline_at <= now
    return Change(
        MissingProcessRow(
            missing_id=missing_id_of(process, earlier),
            source=process.source,
            opened_at=now,
            closed_at=now if is_late else None,
            closed_why=Closing.DELETED if is_late else None,
            **_said(process, events, missing),
        )
    )


def _moved(
    finding: MissingProcessRow, process: ProcessId, events: Sequence[SessionEventRow], missing: Missing, now: datetime
) -> dict[str, Any]:
    """Return what later events change. A deadline that moves away has alerts of its own."""
    said = {name: value for name, value in _said(process, events, missing).items() if value is not None}
    said |= {"source": process.source}
    if finding.why == Why.LISTED and missing.deadline_at <= now:
        said |= {"why": finding.why, "since": finding.since, "deadline_at": finding.deadline_at}
    values = {name: value for name, value in said.items() if getattr(finding, name) != value}
    if said["deadline_at"] > finding.deadline_at:
        values["alerted_h"] = None
    return values


def _said(process: ProcessId, events: Sequence[SessionEventRow], missing: Missing) -> dict[str, Any]:
    transactions = {each.session_id: each.transaction_number for each in events if each.transaction_number is not None}
    only = next(iter(transactions.values())) if len(set(transactions.values())) == 1 else None
    return {
        "reference": process.reference,
        "process_number": process.process_number,
        "transaction_number": process.transaction_number or transactions.get(missing.session_id, only),
        "session_id": missing.session_id,
        "why": missing.why,
        "since": missing.since,
        "deadline_at": missing.deadline_at,
    }

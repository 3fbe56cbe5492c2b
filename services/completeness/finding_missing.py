"""Finds processes that are missing, and closes findings whose process has arrived, goes on, or is too late.

Each finding is announced once when it opens, and once at each alert before its deadline.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import chain

from sqlmodel import Session

from adapters.database.transactions import pages, writing
from adapters.inbox import inbox
from adapters.platform.cancellation import checkpoint
from adapters.settings.settings import settings
from adapters.store import happened
from adapters.store.sources import terms_of
from adapters.tables.completeness import missing_processes, process_evidence
from adapters.tables.completeness.process_evidence import Evidence, Names
from domain.completeness.changes import Change, answered_at, change_of, change_without_events
from domain.completeness.missing import Arrival, Decision, alert_due, decide
from domain.completeness.processes import (
    Numbered,
    ProcessId,
    is_about,
    is_of_any_source,
    numbered,
    process_of,
    processes,
)
from domain.messages.bodies import process_missing
from models.completeness.processes import Closing, MissingProcessRow, SessionEventRow
from models.errors import Refused
from models.messages.notification import Event, EventType
from models.views.parameters import Dismissal
from models.views.troubles import MissingView
from services.messages.events import announce
from services.views import troubles

_AT_ONCE = 500
_Mark = tuple[str, datetime | None, bool]
"""An event, when it is looked at again, and whether it is answered."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search changed: the number of processes that are newly missing, and of findings that it closed, by why."""

    opened: int
    closed: dict[Closing, int]


def find_missing(now: datetime) -> Found:
    """Decide about each process with an event that is new or due, and about each finding for which a body has arrived.

    Findings whose deadline has passed are closed. A repetition changes nothing, and two searches at once do no harm.
    """
    found = Found(0, dict.fromkeys(Closing, 0))
    search = _Search(now)
    for names in chain(_due(now), _arrived()):
        checkpoint()
        found = _decide_page(names, search, found)
    lost = missing_processes.close_lost(now)
    return Found(found.opened, found.closed | {Closing.DELETED: found.closed[Closing.DELETED] + lost})


class _Search:
    """What a search reads once: the terms of sources, and, if something would open, what waits in the inbox."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.terms_of = cache(terms_of)
        self._waiting: set[tuple[str, str]] | None = None

    def waits(self, process: ProcessId) -> bool:
        """Return whether a body of the process waits in the inbox: it has arrived, also before it has a row."""
        if self._waiting is None:
            self._waiting = {(each.source, each.reference) for each in chain(inbox.deliveries(), inbox.imported())}
        return process.reference is not None and (process.source, process.reference) in self._waiting


def _due(now: datetime) -> Iterator[Names]:
    process_evidence.answer_nameless(now)
    while any(page := process_evidence.due(now, _AT_ONCE)):
        yield Names(*page)


def _arrived() -> Iterator[Names]:
    found = process_evidence.open_with_arrivals()
    for references in pages(found.references, _AT_ONCE):
        yield Names(references, (), ())
    for numbers in pages(found.process_numbers, _AT_ONCE):
        yield Names((), numbers, ())
    for transactions in pages(found.transaction_numbers, _AT_ONCE):
        yield Names((), (), transactions)


def _decide_page(names: Names, search: _Search, found: Found) -> Found:
    """Decide about a page of processes, and write what follows, in one transaction."""
    with writing() as session:
        evidence = process_evidence.read(session, names)
        changes: list[Change] = []
        marks: list[_Mark] = []
        findings = _Findings(evidence.findings)
        for process, events in processes(evidence.events).items():
            theirs = findings.take(process, events)
            decision, change = _decide(process, events, theirs, evidence, search)
            changes.append(change)
            marks += _marks(events, decision)
        changes += (
            change_without_events(each, evidence.arrivals_of(process_of(each), of_any_source=is_of_any_source(each)))
            for each in findings.left.values()
        )
        missing_processes.set_decided(session, marks)
        return _written(session, changes, search.now, found)


class _Findings:
    """The findings of a page, each about one process. `left` are the open findings that no process has taken."""

    def __init__(self, findings: Sequence[MissingProcessRow]) -> None:
        self.left = {each.missing_id: each for each in findings if each.closed_at is None}
        self._by_name: dict[str | Numbered, list[MissingProcessRow]] = defaultdict(list)
        for each in findings:
            self._by_name[numbered(process_of(each)) if each.reference is None else each.reference].append(each)

    def take(self, process: ProcessId, events: Sequence[SessionEventRow]) -> list[MissingProcessRow]:
        """Return the findings about a process, closed ones too."""
        names: set[str | Numbered] = {("transaction_number", each.transaction_number) for each in events}
        names |= {numbered(process)} | ({process.reference} if process.reference is not None else set())
        near = chain.from_iterable(self._by_name.get(each, ()) for each in names)
        found = [each for each in near if self._is_there(each, process) and is_about(each, process, events)]
        for each in found:
            self.left.pop(each.missing_id, None)
        return sorted(found, key=lambda each: (each.opened_at, each.missing_id))

    def _is_there(self, finding: MissingProcessRow, process: ProcessId) -> bool:
        if finding.closed_at is None:
            return finding.missing_id in self.left
        return finding.source == process.source


def _decide(
    process: ProcessId,
    events: Sequence[SessionEventRow],
    findings: Sequence[MissingProcessRow],
    evidence: Evidence,
    search: _Search,
) -> tuple[Decision, Change]:
    arrivals, answered = evidence.arrivals_of(process), answered_at(findings)
    terms, now = search.terms_of(process.source), search.now
    decision = decide(events, arrivals, answered, terms, now)
    change = change_of(process, events, findings, decision, now, has_arrived=bool(arrivals))
    if change.opening and search.waits(process):
        decision = decide(events, [*arrivals, Arrival(now, now, is_read=False)], answered, terms, now)
        change = change_of(process, events, findings, decision, now, has_arrived=True)
    return decision, change


def _marks(events: Iterable[SessionEventRow], decision: Decision) -> Iterator[_Mark]:
    """Yield what changes of the events: an event that is answered stays so, and needs no look."""
    for each in events:
        is_answered = each.is_answered or each.event_id in decision.answered
        look_at = None if is_answered else decision.look_at
        if (look_at, is_answered) != (each.decide_at, each.is_answered):
            yield each.event_id, look_at, is_answered


def _written(session: Session, changes: Iterable[Change], now: datetime, found: Found) -> Found:
    opened, closed = found.opened, dict(found.closed)
    for change in changes:
        if change.opening and missing_processes.open_within(session, change.opening):
            opened += 1
            if change.opening.closed_at:
                closed[Closing.DELETED] += 1
        if change.values:
            missing_processes.change_within(session, change.missing_id, change.values)
        closing = {"closed_at": now, "closed_why": change.closing}
        if change.closing and missing_processes.change_within(session, change.missing_id, closing):
            closed[change.closing] += 1
    return Found(opened, closed)


def dismiss(missing_id: str, dismissal: Dismissal, now: datetime) -> MissingView:
    """Close an open finding for a person, and return it. A later submission of the process opens another.

    Raises Refused if there is no such finding, or it is closed.
    """
    was_open = missing_processes.dismiss(missing_id, dismissal.by, dismissal.why, now)
    happened.keep()
    row = missing_processes.find(missing_id)
    if row is None:
        raise Refused("UNKNOWN_FINDING", "no missing process has this id; try `cellar missing list`", status=404)
    if not was_open:
        raise Refused("FINDING_CLOSED", f"the finding is closed already: {row.closed_why}", status=409)
    return troubles.missing_view(row, now)


@dataclass(frozen=True, slots=True)
class Alerted:
    """What a round announced: findings that are new, findings with the hours of their alert (24, 12 or 2), and the
    events about all of them.
    """

    opened: Sequence[MissingProcessRow]
    alerts: Sequence[tuple[MissingProcessRow, int]]
    events: Sequence[Event]


def announce_missing(now: datetime) -> Alerted:
    """Announce the new findings and the alerts that are due, the nearest deadline first, and return them.

    An event is planned before the finding says so: a process that is killed in between repeats the event, which has the
    same message ids, so nobody hears it twice.
    """
    opened, events = missing_processes.unannounced(now), list[Event]()
    for each in opened:
        checkpoint()
        events.append(_event(each, "opened", now))
        announce(events[-1])
        missing_processes.set_announced(each.missing_id, now)
    alerts = []
    for each in missing_processes.nearing(now):
        checkpoint()
        hours = alert_due(each.deadline_at, each.alerted_h, now)
        if hours is not None:
            events.append(_event(each, f"{each.deadline_at:%Y%m%dT%H%M%S}.{hours}h", now))
            announce(events[-1])
            missing_processes.set_alerted(each.missing_id, hours, each.deadline_at)
            alerts.append((each, hours))
    return Alerted(opened, alerts, events)


def _event(finding: MissingProcessRow, what: str, now: datetime) -> Event:
    """Return the event about a finding. Its subject tells the opening and the alerts of each deadline apart."""
    return Event(
        EventType.PROCESS_MISSING,
        f"{finding.missing_id}.{what}",
        now,
        process_missing(finding, url=f"{settings().receiver_url}/api/missing?state=open", at=now),
        finding.reference or "",
        finding.source,
    )

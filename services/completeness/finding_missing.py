"""Finds processes that are missing, and closes findings whose process has arrived, goes on, or is too late."""

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
from adapters.tables.completeness import missing_processes, process_evidence
from adapters.tables.completeness.process_evidence import Evidence, Names
from domain.completeness.changes import Change, answered_at, change_of, change_without_events
from domain.completeness.missing import Arrival, Decision, decide
from domain.completeness.processes import (
    Numbered,
    ProcessId,
    is_about,
    is_of_any_source,
    numbered,
    process_of,
    processes,
)
from models.completeness.processes import Closing, MissingProcessRow, SessionEventRow
from models.errors import Refused
from models.views.parameters import Dismissal
from models.views.troubles import MissingView
from services.sources import terms_of
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
            self._waiting = {(each.source, each.reference) for each in inbox.deliveries()}
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
        if change.closing and missing_processes.close_within(session, change.missing_id, change.closing, now):
            closed[change.closing] += 1
    return Found(opened, closed)


def dismiss(missing_id: str, dismissal: Dismissal, now: datetime) -> MissingView:
    """Close an open finding for a person, and return it. A later submission of the process opens another.

    Raises:
        Refused: there is no such finding, or it is closed.
    """
    was_open = missing_processes.dismiss(missing_id, dismissal.by, dismissal.why, now)
    row = missing_processes.find(missing_id)
    if row is None:
        raise Refused("UNKNOWN_FINDING", "no missing process has this id; try `cellar missing list`", status=404)
    if not was_open:
        raise Refused("FINDING_CLOSED", f"the finding is closed already: {row.closed_why}", status=409)
    return troubles.missing_view(row, now)

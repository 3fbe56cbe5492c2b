"""Finds processes that are missing, and closes findings whose process has arrived, goes on, or is too late."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import chain, zip_longest

from sqlmodel import Session

from adapters.database.transactions import pages, writing
from adapters.inbox import inbox
from adapters.platform.cancellation import checkpoint
from adapters.tables import missing_processes, process_evidence
from adapters.tables.process_evidence import Evidence
from domain.completeness.changes import Change, answered_at, change_of, change_without_events
from domain.completeness.missing import Arrival, Decision, decide
from domain.completeness.processes import ProcessId, arrivals_by_number, is_about, process_of, processes
from models.completeness.missing_process import Closing, MissingProcessRow
from models.completeness.session_event import SessionEventRow
from services.sources.terms import terms_of

_AT_ONCE = 500
_Page = tuple[set[str], set[int]]
"""References, and process numbers of processes without a reference."""
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

    Raises:
        Transient: the database or the inbox does not answer.
    """
    found = Found(0, dict.fromkeys(Closing, 0))
    search = _Search(now)
    for references, numbers in chain(_due(now), _arrived()):
        checkpoint()
        found = _decide_page(references, numbers, search, found)
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


def _due(now: datetime) -> Iterator[_Page]:
    process_evidence.answer_nameless(now)
    while any(page := process_evidence.due(now, _AT_ONCE)):
        yield page


def _arrived() -> Iterator[_Page]:
    references, numbers = process_evidence.open_with_arrivals()
    for page in zip_longest(pages(references, _AT_ONCE), pages(numbers, _AT_ONCE), fillvalue=()):
        yield set(page[0]), set(page[1])


def _decide_page(references: Collection[str], numbers: Collection[int], search: _Search, found: Found) -> Found:
    """Decide about a page of processes, and write what follows, in one transaction."""
    with writing() as session:
        evidence = process_evidence.read(session, references, numbers)
        changes: list[Change] = []
        marks: list[_Mark] = []
        candidates: dict[tuple[str, str | int | None], list[MissingProcessRow]] = defaultdict(list)
        for each in evidence.findings:
            name = each.process_number if each.reference is None else each.reference
            candidates[each.source, name].append(each)
        left = {each.missing_id: each for each in evidence.findings if each.closed_at is None}
        for process, events in processes(evidence.events).items():
            near = [*candidates[process.source, process.reference], *candidates[process.source, process.process_number]]
            theirs = [each for each in near if is_about(each, process, events)]
            decision, change = _decide(process, events, theirs, evidence, search)
            changes.append(change)
            marks += _marks(events, decision)
            for each in theirs:
                left.pop(each.missing_id, None)
        changes += (change_without_events(each, _arrivals(process_of(each), evidence)) for each in left.values())
        missing_processes.set_decided(session, marks)
        return _written(session, changes, search.now, found)


def _decide(
    process: ProcessId,
    events: Sequence[SessionEventRow],
    findings: Sequence[MissingProcessRow],
    evidence: Evidence,
    search: _Search,
) -> tuple[Decision, Change]:
    arrivals, answered = _arrivals(process, evidence), answered_at(findings)
    terms, now = search.terms_of(process.source), search.now
    decision = decide(events, arrivals, answered, terms, now)
    change = change_of(process, events, findings, decision, now)
    if change.opening and search.waits(process):
        decision = decide(events, [*arrivals, Arrival(now, now, is_read=False)], answered, terms, now)
        change = change_of(process, events, findings, decision, now)
    return decision, change


def _arrivals(process: ProcessId, evidence: Evidence) -> Sequence[Arrival]:
    if process.reference is not None:
        return evidence.arrivals.get((process.source, process.reference), ())
    if process.process_number is None:
        return ()
    named = evidence.references.get((process.source, process.process_number), ())
    return arrivals_by_number(
        chain.from_iterable(evidence.arrivals.get((process.source, each), ()) for each in named), process
    )


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

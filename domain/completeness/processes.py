"""Tells processes apart, in session events and in findings.

A process is its source, its reference and its process number: Cellosign gives a run with several recipients or
templates a process each, which may share the reference. Without a reference, it is process and transaction number.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from domain.completeness.missing import ArchivedSession, Arrival
from models.completeness.processes import MissingProcessRow, SessionEventRow, Why
from models.runs.receipt import DEFAULT_SOURCE

Numbered = tuple[str, int | None]
"""The kind of a number, and the number."""


@dataclass(frozen=True, slots=True)
class ProcessId:
    """What tells a process from others of all sources. It has a reference, a process number, or both."""

    source: str
    reference: str | None
    process_number: int | None
    transaction_number: int | None = None


def processes(events: Iterable[SessionEventRow]) -> dict[ProcessId, list[SessionEventRow]]:
    """Return the events of each process. Events without reference and process number belong to none. Pure."""
    by_reference: dict[tuple[str, str], list[SessionEventRow]] = defaultdict(list)
    found: dict[ProcessId, list[SessionEventRow]] = defaultdict(list)
    for each in events:
        if each.reference is not None:
            by_reference[each.source, each.reference].append(each)
        elif each.process_number is not None:
            found[ProcessId(each.source, None, each.process_number, each.transaction_number)].append(each)
    for (source, reference), theirs in by_reference.items():
        numbers = {each.process_number for each in theirs} - {None}
        nameless = min((each for each in numbers if each is not None), default=None)
        for each in theirs:
            number = nameless if each.process_number is None else each.process_number
            found[ProcessId(source, reference, number)].append(each)
    return found


def process_of(finding: MissingProcessRow) -> ProcessId:
    """Return the process of a finding by what it says. Pure."""
    transaction = finding.transaction_number if finding.reference is None else None
    return ProcessId(finding.source, finding.reference, finding.process_number, transaction)


def numbered(process: ProcessId) -> Numbered:
    """Return the number by which a process without a reference is found. Pure."""
    if process.process_number is None:
        return "transaction_number", process.transaction_number
    return "process_number", process.process_number


def is_of_any_source(finding: MissingProcessRow) -> bool:
    """Return whether a list that stands for all sources made a finding, so that its source is not known. Pure."""
    return finding.why == Why.LISTED and finding.source == DEFAULT_SOURCE and finding.reference is None


def is_about(finding: MissingProcessRow, process: ProcessId, events: Sequence[SessionEventRow]) -> bool:
    """Return whether a finding is about a process, by all that both say. Pure."""
    if finding.source != process.source and not is_of_any_source(finding):
        return False
    is_number_known = finding.process_number is not None and process.process_number is not None
    if is_number_known and finding.process_number != process.process_number:
        return False
    if finding.reference is not None and process.reference is not None:
        return finding.reference == process.reference
    known = ({each.transaction_number for each in events} | {process.transaction_number}) - {None}
    if finding.reference is None and finding.process_number is None:
        return finding.transaction_number in known
    return is_number_known and (finding.transaction_number is None or not known or finding.transaction_number in known)


def arrivals_by_number(arrivals: Iterable[Arrival], process: ProcessId) -> list[Arrival]:
    """Return what has arrived for a process without a reference, of the arrivals of its number. Pure."""
    return [each for each in arrivals if not each.is_read or _lists(each.sessions or (), process)]


def _lists(sessions: Iterable[ArchivedSession], process: ProcessId) -> bool:
    if process.process_number is None:
        return any(_same_transaction(each, process) for each in sessions)
    return any(
        each.process_number == process.process_number
        and (None in (each.transaction_number, process.transaction_number) or _same_transaction(each, process))
        for each in sessions
    )


def _same_transaction(session: ArchivedSession, process: ProcessId) -> bool:
    return session.transaction_number == process.transaction_number


def missing_id_of(process: ProcessId, earlier: int) -> str:
    """Return the id of a finding about a process that has had a number of earlier findings. Pure."""
    said = (process.source, process.reference, process.process_number, process.transaction_number, earlier)
    return hashlib.sha256("\n".join(map(str, said)).encode()).hexdigest()[:32]

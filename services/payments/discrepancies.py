"""Opens, explains and closes discrepancies in the database, and keeps their history."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from http import HTTPStatus
from itertools import chain
from typing import Any

import sqlalchemy
from sqlalchemy import Row, bindparam, text
from sqlmodel import Session, col, func, select, update

from adapters.database.noted import note, note_rows
from adapters.database.transactions import insert_rows, pages, read_all, read_row, reading, streamed, writing
from adapters.search import entries
from adapters.store import happened
from adapters.tables.archives import archives
from adapters.tables.archives.archives import without_locked
from domain.archive.rows import discrepancy_rows
from domain.payments.discrepancies import Known, Transition, by_id, transitions
from models.archive.archive import ArchiveRow
from models.columns import table_of
from models.discrepancies import Discrepancy, DiscrepancyCode, DiscrepancyEventRow, DiscrepancyRow, DiscrepancyState
from models.errors import Refused
from models.views.archives.payments import Explanation
from services.payments.recorded import discrepancy_of, events_of, may_have_discrepancies, of_references

AT_ONCE = 1_000  # archives per transaction: they are locked until it ends
_LOCK_OF_NO_ARCHIVE = 0x63656C6C6172  # any number that no other lock uses

_Event = tuple[str | None, dict[str, Any]]
"""An event, with the reference of its archive."""
FoundByArchive = Mapping[str | None, Sequence[Discrepancy]]
Judge = Callable[[Session, Sequence[str | None]], FoundByArchive]


def reconcile_many(found: FoundByArchive, codes: Collection[DiscrepancyCode], now: datetime) -> None:
    """Make the open discrepancies with `codes` equal to `found`, in each of many archives or, with None, outside.

    Raises:
        Transient: the database does not answer.
    """
    for page in _in_order(found):
        _reconcile_differing(page, codes, lambda _, references: {each: found[each] for each in references}, now)


def reconcile_judged(
    references: Iterable[str | None], codes: Collection[DiscrepancyCode], judge: Judge, now: datetime
) -> None:
    """Reconcile each of many archives with what `judge` finds in the same transaction.

    After writing it judges again: another process may have found the right state before this process overwrote it. An
    archive that was loaded without its key is skipped.
    """

    def _judged(session: Session, references: Sequence[str | None]) -> FoundByArchive:
        return without_locked(session, judge(session, references))

    for page in _in_order(references):
        while _reconcile_differing(page, codes, _judged, now):
            pass


def _reconcile_differing(
    page: Sequence[str | None], codes: Collection[DiscrepancyCode], judge: Judge, now: datetime
) -> bool:
    """Reconcile the archives whose discrepancies change, and return whether there were any.

    Mostly there are none, so the first comparison takes no lock. Archives that differ are locked and judged once more:
    of two processes that reconcile the same archive, the later sees the result of the earlier.
    """
    with reading() as session:
        differing = list(_compared(session, judge(session, page), codes).changed)
    if differing:
        with writing() as session:
            _lock(session, differing)
            _reconcile(session, judge(session, differing), codes, now)
        happened.keep()
    return bool(differing)


def _in_order(references: Iterable[str | None]) -> Iterator[list[str | None]]:
    return pages(sorted(set(references), key=lambda each: each or ""), AT_ONCE)


def reconcile_version(
    reference: str, receipt_id: str, codes: Collection[DiscrepancyCode], found: Sequence[Discrepancy], now: datetime
) -> bool:
    """Reconcile an archive if the receipt made the current version, and return False if it did not. Where nothing is
    found or recorded, there is nothing to do.
    """
    is_current, differs = True, False
    if found or may_have_discrepancies(reference, codes, ()):
        with reading() as session:
            is_current = session.get_one(ArchiveRow, reference).current_receipt_id == receipt_id
            differs = is_current and bool(_compared(session, {reference: found}, codes).changed)
    if differs:
        with writing() as session:
            archive = session.get_one(ArchiveRow, reference, with_for_update=True)
            is_current = archive.current_receipt_id == receipt_id
            if is_current:
                _reconcile(session, {reference: found}, codes, now)
        happened.keep()
    return is_current


def explain(discrepancy_id: str, explanation: Explanation, now: datetime) -> bool:
    """Record a person's explanation of a discrepancy, and return whether it is new. Idempotent.

    Raises:
        Refused: the discrepancy does not exist, is closed, or its amounts have changed since they were explained.
    """

    def decide(row: DiscrepancyRow, last: Row[Any]) -> _Decision | None:
        if row.state == DiscrepancyState.CLOSED:
            raise Refused("DISCREPANCY_CLOSED", "its cause is gone", where="discrepancy_id", status=HTTPStatus.CONFLICT)
        if changed := _changed(row, explanation):
            detail = "the discrepancy has changed; examine it again"
            raise Refused("DISCREPANCY_CHANGED", detail, where=changed, status=HTTPStatus.CONFLICT)
        return None if (last.by, last.why) == (explanation.by, explanation.why) else _explained(explanation)

    if read_row(DiscrepancyRow, discrepancy_id) is None:
        raise unknown()
    return _decide([discrepancy_id], decide, now) == 1


def explain_each(explanations: Mapping[str, Explanation], now: datetime) -> int:
    """Record explanations of open discrepancies, by id, and return their number. What is closed, explained or changed
    since it was read stays as it is.

    Raises Transient if database or store does not answer.
    """

    def decide(row: DiscrepancyRow, _: Row[Any]) -> _Decision | None:
        explanation = explanations[row.discrepancy_id]
        is_as_read = row.state == DiscrepancyState.OPEN and not _changed(row, explanation)
        return _explained(explanation) if is_as_read else None

    return _decide(explanations, decide, now)


def explain_all(references: Collection[str], explanation: Explanation, now: datetime) -> int:
    """Record an explanation of each open discrepancy of some archives, and return their number.

    Raises Transient if database or store does not answer.
    """
    is_open = of_references(references), col(DiscrepancyRow.state) == DiscrepancyState.OPEN
    found = read_all(select(DiscrepancyRow.discrepancy_id).where(*is_open))
    return explain_each(dict.fromkeys(found, explanation), now)


def withdraw(by: str, at: datetime, now: datetime) -> int:
    """Take back what a person explained at a moment: what nothing has changed since is open again. Return the number.

    Raises Transient if database or store does not answer. What is open again before it stays so.
    """

    def decide(_: DiscrepancyRow, last: Row[Any]) -> _Decision | None:
        is_last = (last.state, last.at, last.by) == (DiscrepancyState.EXPLAINED, at, by)
        return _Decision(DiscrepancyState.OPEN, by, None) if is_last else None

    event = DiscrepancyEventRow
    return _decide(read_all(select(event.discrepancy_id).where(event.at == at, event.by == by)), decide, now)


@dataclass(frozen=True, slots=True)
class _Decision:
    """The next event of a discrepancy, by a person."""

    state: DiscrepancyState
    by: str
    why: str | None


def _explained(explanation: Explanation) -> _Decision:
    return _Decision(DiscrepancyState.EXPLAINED, explanation.by, explanation.why)


def _changed(row: DiscrepancyRow, explanation: Explanation) -> str | None:
    """Return which amount is another than a person has explained."""
    names = (each for each in ("expected", "found") if getattr(explanation, each) not in (None, getattr(row, each)))
    return next(names, None)


def _decide(
    discrepancy_ids: Iterable[str], decide: Callable[[DiscrepancyRow, Row[Any]], _Decision | None], now: datetime
) -> int:
    """Record what a person decides of each discrepancy, by its row and its last event, and return how many change."""
    number = 0
    for page in pages(sorted(discrepancy_ids), AT_ONCE):
        its = select(DiscrepancyRow).where(col(DiscrepancyRow.discrepancy_id).in_(page))
        with writing() as session:
            _lock(session, [each.reference for each in session.exec(its)])
            rows = session.exec(its, execution_options={"populate_existing": True}).all()
            last = {each.discrepancy_id: each for each in events_of(session, page)}
            decided = {row.discrepancy_id: said for row in rows if (said := decide(row, last[row.discrepancy_id]))}
            changed = [row for row in rows if row.discrepancy_id in decided]
            for row in changed:
                row.state = decided[row.discrepancy_id].state
            events = list[_Event]()
            for row in changed:
                about = {"discrepancy_id": row.discrepancy_id, "number": last[row.discrepancy_id].number + 1, "at": now}
                events.append((row.reference, about | asdict(decided[row.discrepancy_id])))
            insert_rows(session, DiscrepancyEventRow, (event for _, event in events))
            for reference in sorted({each for each, _ in events if each is not None}):
                entries.set_attention(session, reference)
            _note(session, decided, events)
        happened.keep()
        number += len(decided)
    return number


def unknown() -> Refused:
    detail = "that archive has no such discrepancy"
    return Refused("UNKNOWN_DISCREPANCY", detail, where="discrepancy_id", status=HTTPStatus.NOT_FOUND)


@dataclass(frozen=True, slots=True)
class _Compared:
    """The numbers of the last events of known discrepancies, by id, and the changes by archive."""

    numbers: dict[str, int]
    changed: dict[str | None, list[Transition]]


def _compared(session: Session, found: FoundByArchive, codes: Collection[DiscrepancyCode]) -> _Compared:
    known: dict[str | None, dict[str, Known]] = {reference: {} for reference in found}
    numbers: dict[str, int] = {}
    for row in streamed(session, _known_rows(found, codes)):
        known[row.reference][row.discrepancy_id] = Known(discrepancy_of(row), DiscrepancyState(row.state))
        numbers[row.discrepancy_id] = row.number
    changed = {
        reference: its_changes
        for reference, each in found.items()
        if (its_changes := transitions(known[reference], by_id(reference, each), codes))
    }
    return _Compared(numbers, changed)


def _reconcile(session: Session, found: FoundByArchive, codes: Collection[DiscrepancyCode], now: datetime) -> None:
    compared = _compared(session, found, codes)
    numbers, changed = compared.numbers, compared.changed
    _update(session, (each for each in _flat(changed) if each.discrepancy_id in numbers))
    insert_rows(session, DiscrepancyRow, _new_rows(changed, numbers))
    insert_rows(session, DiscrepancyEventRow, (event for _, event in _events(changed, numbers, now)))
    entries.set_discrepancies(session, (each for each in changed if each is not None))
    _note(session, (each.discrepancy_id for each in _flat(changed)), _events(changed, numbers, now))


def _note(session: Session, discrepancy_ids: Iterable[str], events: Iterable[_Event]) -> None:
    """Note discrepancies as they are now, and their new events, each with the reference for an erasure."""
    for page in pages(sorted(discrepancy_ids)):
        note(session, DiscrepancyRow, col(DiscrepancyRow.discrepancy_id).in_(page))
    note_rows(session, DiscrepancyEventRow, ({**event, "reference": reference} for reference, event in events))


def _flat(changed: Mapping[str | None, Sequence[Transition]]) -> Iterator[Transition]:
    return chain.from_iterable(changed.values())


def _known_rows(references: Collection[str | None], codes: Collection[DiscrepancyCode]) -> Any:
    """Select the rows of these codes, each with the number of its last event."""
    table = table_of(DiscrepancyRow)
    last = (
        select(func.max(DiscrepancyEventRow.number))
        .where(DiscrepancyEventRow.discrepancy_id == table.c.discrepancy_id)
        .correlate(table)
        .scalar_subquery()
    )
    wanted = of_references(references), col(DiscrepancyRow.code).in_(codes)
    return sqlalchemy.select(*table.c, last.label("number")).where(*wanted)


def _new_rows(
    changed: Mapping[str | None, Sequence[Transition]], known: Collection[str]
) -> Iterator[Mapping[str, Any]]:
    for reference, its_changes in changed.items():
        for change in its_changes:
            if change.discrepancy_id not in known:
                yield from discrepancy_rows(reference, [change.discrepancy])[DiscrepancyRow]


def _update(session: Session, changed: Iterable[Transition]) -> None:
    table = table_of(DiscrepancyRow)
    statement = update(table).where(table.c.discrepancy_id == bindparam("key"))
    for page in pages(changed):
        become = [
            {"key": each.discrepancy_id, "state": each.state, "expected": each.discrepancy.expected,
             "found": each.discrepancy.found, "values": each.discrepancy.values,
             "payment_id": each.discrepancy.payment_id}
            for each in page
        ]  # fmt: skip
        session.connection().execute(statement, become)


def _events(
    changed: Mapping[str | None, Sequence[Transition]], numbers: Mapping[str, int], now: datetime
) -> Iterator[_Event]:
    for reference, its_changes in changed.items():
        for each in (each for each in its_changes if each.is_event):
            number = numbers.get(each.discrepancy_id, 0) + 1
            event = {"discrepancy_id": each.discrepancy_id, "number": number, "state": each.state}
            yield reference, event | {"at": now, "by": None, "why": None}


def _lock(session: Session, references: Sequence[str | None]) -> None:
    """Lock the discrepancies of archives against other writers. SQLite has one writer at a time anyway."""
    named = [each for each in references if each is not None]
    archives.lock(session, named)
    if len(named) < len(references) and session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_OF_NO_ARCHIVE})

"""Opens, explains and closes discrepancies in the database, and keeps their history."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from itertools import chain, groupby
from typing import Any

import sqlalchemy
from sqlalchemy import ColumnElement, Row, bindparam, text
from sqlmodel import Session, SQLModel, col, exists, func, or_, select, update

from adapters.database.locked_archives import without_locked
from adapters.database.transactions import insert_rows, pages, reading, streamed, writing
from adapters.store import kept_discrepancies
from domain.archive.rows import discrepancy_rows
from domain.payments.discrepancies import Known, Transition, by_id, since_opened, transitions
from domain.payments.sentences import sentence
from models.archive.archive import ArchiveRow
from models.errors import Refused
from models.payments.discrepancy import (
    Discrepancy,
    DiscrepancyCode,
    DiscrepancyEventRow,
    DiscrepancyRow,
    DiscrepancyState,
)
from models.payments.payment import PaymentRow, Standing
from models.views.payments import DiscrepancyView, Explanation, ExplanationView

AT_ONCE = 1_000  # archives per transaction: they are locked until it ends
_LOCK_OF_NO_ARCHIVE = 0x63656C6C6172  # any number that no other lock uses

_NOT_CLOSED = col(DiscrepancyRow.state) != DiscrepancyState.CLOSED
_ORDER = (col(DiscrepancyRow.code), col(DiscrepancyRow.discrepancy_id))

FoundByArchive = Mapping[str | None, Sequence[Discrepancy]]
Judge = Callable[[Session, Sequence[str | None]], FoundByArchive]


def reconcile(
    reference: str | None, codes: Collection[DiscrepancyCode], found: Sequence[Discrepancy], now: datetime
) -> None:
    """Make the open discrepancies with `codes` equal to `found`, in an archive or, with None, outside of archives.

    Raises:
        Transient: database or store does not answer. The database may have the change already; repeating it is safe.
    """
    reconcile_many({reference: found}, codes, now)


def reconcile_many(found: FoundByArchive, codes: Collection[DiscrepancyCode], now: datetime) -> None:
    """Reconcile each of many archives, as `reconcile` does. Archives that are not named stay as they are."""
    for page in _in_order(found):
        _reconcile_differing(page, codes, lambda _, references: {each: found[each] for each in references}, now)
        kept_discrepancies.keep(page)


def reconcile_judged(
    references: Iterable[str | None],
    codes: Collection[DiscrepancyCode],
    judge: Judge,
    now: datetime,
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
        kept_discrepancies.keep(page)


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
    return bool(differing)


def _in_order(references: Iterable[str | None]) -> Iterator[list[str | None]]:
    return pages(sorted(set(references), key=lambda each: each or ""), AT_ONCE)


def reconcile_version(
    reference: str, receipt_id: str, codes: Collection[DiscrepancyCode], found: Sequence[Discrepancy], now: datetime
) -> bool:
    """Reconcile an archive if the receipt made the current version, and return whether it did."""
    with reading() as session:
        is_current = session.get_one(ArchiveRow, reference).current_receipt_id == receipt_id
        differs = is_current and bool(_compared(session, {reference: found}, codes).changed)
    if differs:
        with writing() as session:
            archive = session.get_one(ArchiveRow, reference, with_for_update=True)
            is_current = archive.current_receipt_id == receipt_id
            if is_current:
                _reconcile(session, {reference: found}, codes, now)
    kept_discrepancies.keep([reference])
    return is_current


def explain(discrepancy_id: str, said: Explanation, now: datetime) -> None:
    """Record a person's explanation of a discrepancy. Idempotent.

    Raises:
        Refused: the discrepancy does not exist, is closed, or its amounts have changed since they were explained.
        Transient: database or store does not answer.
    """
    with writing() as session:
        row = session.get(DiscrepancyRow, discrepancy_id)
        if row is None:
            raise unknown()
        _lock(session, [row.reference])
        session.refresh(row)
        _check_explainable(row, said)
        *_, last = _events(session, [discrepancy_id])
        if (last.state, last.by, last.why) != (DiscrepancyState.EXPLAINED, said.by, said.why):
            row.state = DiscrepancyState.EXPLAINED
            told = {"number": last.number + 1, "state": row.state, "at": now, "by": said.by, "why": said.why}
            insert_rows(session, DiscrepancyEventRow, [{"discrepancy_id": discrepancy_id} | told])
            kept_discrepancies.count(session, [row.reference])
    kept_discrepancies.keep([row.reference])


def _check_explainable(row: DiscrepancyRow, said: Explanation) -> None:
    if row.state == DiscrepancyState.CLOSED:
        raise Refused("DISCREPANCY_CLOSED", "its cause is gone", where="discrepancy_id", status=HTTPStatus.CONFLICT)
    for name in ("expected", "found"):
        if getattr(said, name) not in (None, getattr(row, name)):
            changed = "the discrepancy has changed; examine it again"
            raise Refused("DISCREPANCY_CHANGED", changed, where=name, status=HTTPStatus.CONFLICT)


def unknown() -> Refused:
    return Refused(
        "UNKNOWN_DISCREPANCY",
        "that archive has no such discrepancy",
        where="discrepancy_id",
        status=HTTPStatus.NOT_FOUND,
    )


def not_closed_by_id(
    reference: str | None, codes: Collection[DiscrepancyCode] = frozenset(DiscrepancyCode)
) -> dict[str, Discrepancy]:
    """Return the open and explained discrepancies of an archive, by id, in the order of the codes."""
    wanted = (col(DiscrepancyRow.code).in_(codes), _NOT_CLOSED)
    ordered = select(DiscrepancyRow).where(_of([reference]), *wanted).order_by(*_ORDER)
    with reading() as session:
        return {row.discrepancy_id: _discrepancy(row) for row in session.exec(ordered)}


def are_not_closed(reference: str, codes: Collection[DiscrepancyCode], found: Sequence[Discrepancy]) -> bool:
    """Return whether exactly these discrepancies of an archive, of these codes, are not closed."""
    expected = by_id(reference, found)
    table = SQLModel.metadata.tables[str(DiscrepancyRow.__tablename__)]
    wanted = _of([reference]), col(DiscrepancyRow.code).in_(codes), _NOT_CLOSED
    with reading() as session:
        for row in streamed(session, sqlalchemy.select(table).where(*wanted)):
            if expected.pop(row.discrepancy_id, None) != _discrepancy(row):
                return False
    return not expected


def may_have_discrepancies(
    reference: str, codes: Collection[DiscrepancyCode], standings: Collection[Standing] = frozenset(Standing)
) -> bool:
    """Return whether an archive has payments with one of `standings`, from which `codes` follow, or discrepancies of
    `codes` that are not closed. One query.
    """
    of_payments = (col(PaymentRow.reference) == reference, col(PaymentRow.standing).in_(standings))
    of_rows = (_of([reference]), col(DiscrepancyRow.code).in_(codes), _NOT_CLOSED)
    with reading() as session:
        return bool(session.exec(select(or_(exists().where(*of_payments), exists().where(*of_rows)))).one())


def open_discrepancies(reference: str, most: int) -> list[Discrepancy]:
    """Return the first of the open discrepancies of an archive, in the order of the codes."""
    wanted = (DiscrepancyRow.reference == reference, DiscrepancyRow.state == DiscrepancyState.OPEN)
    ordered = select(DiscrepancyRow).where(*wanted).order_by(*_ORDER)
    with reading() as session:
        return [_discrepancy(row) for row in session.exec(ordered.limit(most))]


def explained(found: Mapping[str, Discrepancy]) -> set[str]:
    """Return the ids of the found discrepancies that a person has explained with exactly these amounts."""
    ids = set[str]()
    with reading() as session:
        for page in pages(found):
            wanted = col(DiscrepancyRow.discrepancy_id).in_(page), DiscrepancyRow.state == DiscrepancyState.EXPLAINED
            for row in session.exec(select(DiscrepancyRow).where(*wanted)):
                each = found[row.discrepancy_id]
                if (row.expected, row.found) == (each.expected, each.found):
                    ids.add(row.discrepancy_id)
    return ids


def not_closed(reference: str, most: int) -> list[DiscrepancyView]:
    """Return the first open and explained discrepancies of an archive with their history, in the order of the codes."""
    found = select(DiscrepancyRow).where(DiscrepancyRow.reference == reference, _NOT_CLOSED)
    with reading() as session:
        return views_of(session, session.exec(found.order_by(*_ORDER).limit(most)).all())


def count_not_closed(reference: str) -> dict[DiscrepancyState, int]:
    """Return how many discrepancies of an archive are open, and how many are explained."""
    state = col(DiscrepancyRow.state)
    its = DiscrepancyRow.reference == reference, state != DiscrepancyState.CLOSED
    counted = select(state, func.count()).where(*its).group_by(state)
    with reading() as session:
        counts = {DiscrepancyState(each): count for each, count in session.exec(counted)}
    return {each: counts.get(each, 0) for each in (DiscrepancyState.OPEN, DiscrepancyState.EXPLAINED)}


def views(session: Session, reference: str) -> list[DiscrepancyView]:
    """Return all discrepancies of an archive, also closed, with their history, in the order of the codes."""
    table = SQLModel.metadata.tables[str(DiscrepancyRow.__tablename__)]
    found = sqlalchemy.select(table).where(table.c.reference == reference)
    return views_of(session, list(streamed(session, found.order_by(*_ORDER))))


def views_of(session: Session, rows: Sequence[DiscrepancyRow] | Sequence[Row[Any]]) -> list[DiscrepancyView]:
    """Return discrepancies with their history, in the order of the rows."""
    events = _events(session, [row.discrepancy_id for row in rows])
    by_id = {key: list(its) for key, its in groupby(events, lambda each: str(each.discrepancy_id))}
    return [_view(row, by_id[row.discrepancy_id]) for row in rows]


def _view(row: DiscrepancyRow | Row[Any], events: Sequence[Row[Any]]) -> DiscrepancyView:
    since = since_opened(events)
    explained = [each for each in since if each.state == DiscrepancyState.EXPLAINED]
    closed = [each for each in since if each.state == DiscrepancyState.CLOSED]
    return DiscrepancyView(
        discrepancy_id=row.discrepancy_id,
        code=row.code,
        transaction_id=row.transaction_id,
        expected=row.expected,
        found=row.found,
        state=row.state,
        sentence=sentence(DiscrepancyCode(row.code), row.expected, row.found),
        opened_at=since[0].at,
        closed_at=closed[-1].at if closed else None,
        explanation=ExplanationView.model_validate(explained[-1]._mapping) if explained else None,
    )


@dataclass(frozen=True, slots=True)
class _Compared:
    """The numbers of the last events of known discrepancies, by id, and the changes by archive."""

    numbers: dict[str, int]
    changed: dict[str | None, list[Transition]]


def _compared(session: Session, found: FoundByArchive, codes: Collection[DiscrepancyCode]) -> _Compared:
    known: dict[str | None, dict[str, Known]] = {reference: {} for reference in found}
    numbers: dict[str, int] = {}
    for row in streamed(session, _known_rows(found, codes)):
        known[row.reference][row.discrepancy_id] = Known(_discrepancy(row), DiscrepancyState(row.state))
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
    insert_rows(session, DiscrepancyEventRow, (_event(each, numbers, now) for each in _flat(changed) if each.is_event))
    kept_discrepancies.count(session, list(changed))


def _flat(changed: Mapping[str | None, Sequence[Transition]]) -> Iterator[Transition]:
    return chain.from_iterable(changed.values())


def _known_rows(references: Collection[str | None], codes: Collection[DiscrepancyCode]) -> Any:
    """Select the rows of these codes, each with the number of its last event."""
    table = SQLModel.metadata.tables[str(DiscrepancyRow.__tablename__)]
    last = (
        select(func.max(DiscrepancyEventRow.number))
        .where(DiscrepancyEventRow.discrepancy_id == table.c.discrepancy_id)
        .correlate(table)
        .scalar_subquery()
    )
    wanted = _of(references), col(DiscrepancyRow.code).in_(codes)
    return sqlalchemy.select(*table.c, last.label("number")).where(*wanted)


def _new_rows(
    changed: Mapping[str | None, Sequence[Transition]], known: Collection[str]
) -> Iterator[Mapping[str, Any]]:
    for reference, its_changes in changed.items():
        for change in its_changes:
            if change.discrepancy_id not in known:
                yield from discrepancy_rows(reference, [change.discrepancy])[DiscrepancyRow]


def _update(session: Session, changed: Iterable[Transition]) -> None:
    table = SQLModel.metadata.tables[str(DiscrepancyRow.__tablename__)]
    statement = update(table).where(table.c.discrepancy_id == bindparam("key"))
    for page in pages(changed):
        become = [
            {"key": each.discrepancy_id, "state": each.state, "expected": each.discrepancy.expected,
             "found": each.discrepancy.found, "payment_id": each.discrepancy.payment_id}
            for each in page
        ]  # fmt: skip
        session.connection().execute(statement, become)


def _event(change: Transition, numbers: Mapping[str, int], now: datetime) -> dict[str, Any]:
    number = numbers.get(change.discrepancy_id, 0) + 1
    event = {"discrepancy_id": change.discrepancy_id, "number": number, "state": change.state}
    return event | {"at": now, "by": None, "why": None}


def _lock(session: Session, references: Sequence[str | None]) -> None:
    """Lock the discrepancies of archives against other writers. SQLite has one writer at a time anyway."""
    named = [each for each in references if each is not None]
    locked = select(ArchiveRow.reference).where(col(ArchiveRow.reference).in_(named))
    # Sorted, so that two transactions cannot deadlock.
    session.exec(locked.order_by(ArchiveRow.reference).with_for_update()).all()
    if len(named) < len(references) and session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_OF_NO_ARCHIVE})


def _events(session: Session, discrepancy_ids: Iterable[str]) -> Iterator[Row[Any]]:
    """Yield the events of discrepancies, in order of discrepancy and number."""
    events = SQLModel.metadata.tables[str(DiscrepancyEventRow.__tablename__)]
    in_order = sqlalchemy.select(events).order_by(events.c.discrepancy_id, events.c.number)
    for page in pages(sorted(discrepancy_ids)):
        yield from streamed(session, in_order.where(events.c.discrepancy_id.in_(page)))


def _of(references: Collection[str | None]) -> ColumnElement[bool]:
    column = col(DiscrepancyRow.reference)
    named = column.in_([each for each in references if each is not None])
    return or_(named, column.is_(None)) if None in references else named


def _discrepancy(row: DiscrepancyRow | Row[Any]) -> Discrepancy:
    code = DiscrepancyCode(row.code)
    return Discrepancy(code, row.transaction_id, row.expected, row.found, row.subject, row.payment_id)

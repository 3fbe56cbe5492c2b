"""Discrepancies in the database: what is found settles them, people explain them, and each keeps its history."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, bindparam, text
from sqlmodel import Session, SQLModel, col, func, or_, select, update

from adapters import kept_discrepancies
from adapters.database import insert_rows, pages, reading, writing
from adapters.locked import without_locked
from domain.discrepancies import Change, Known, by_id, changes, since_opened
from domain.rows import discrepancy_rows
from domain.sentences import sentence
from models.archive import ArchiveRow
from models.discrepancy import Discrepancy, DiscrepancyCode, DiscrepancyEventRow, DiscrepancyRow, DiscrepancyState
from models.errors import Refused
from models.view import DiscrepancyView, ExplanationView

_AT_ONCE = 1_000  # archives a transaction: they are locked until it ends
_LOCK_OF_NO_ARCHIVE = 0x63656C6C6172  # any number that is nobody else's

_ORDER = (col(DiscrepancyRow.code), col(DiscrepancyRow.discrepancy_id))

Found = Mapping[str | None, Sequence[Discrepancy]]


def settle(
    reference: str | None, codes: Collection[DiscrepancyCode], found: Sequence[Discrepancy], now: datetime
) -> None:
    """Of these codes, exactly these are found in an archive now; with None, in what belongs to no archive.

    Raises:
        Transient: database or store does not answer. The first may have the change by then; doing it again is right.
    """
    settle_many({reference: found}, codes, now)


def settle_many(found: Found, codes: Collection[DiscrepancyCode], now: datetime) -> None:
    """`settle`, for each of many archives. Those that are not named stay as they are."""
    settle_judged(found, codes, lambda _, references: {each: found[each] for each in references}, now)


def settle_judged(
    references: Iterable[str | None],
    codes: Collection[DiscrepancyCode],
    judge: Callable[[Session, Sequence[str | None]], Found],
    now: datetime,
) -> None:
    """`settle`, for each of many archives, what `judge` finds in the same transaction.

    Archives are locked before it looks: of two that settle the same one, the later has seen what the other has. One
    that was loaded without its key is passed over.
    """
    for page in pages(sorted(set(references), key=lambda each: each or ""), _AT_ONCE):
        with writing() as session:
            _lock(session, page)
            _settle(session, without_locked(session, judge(session, page)), codes, now)
        kept_discrepancies.keep(page)


def settle_version(
    reference: str, receipt_id: str, codes: Collection[DiscrepancyCode], found: Sequence[Discrepancy], now: datetime
) -> bool:
    """`settle`, if the receipt is that of the current version, and return whether it is."""
    with writing() as session:
        archive = session.get_one(ArchiveRow, reference, with_for_update=True)
        is_current = archive.current_receipt_id == receipt_id
        if is_current:
            _settle(session, {reference: found}, codes, now)
    kept_discrepancies.keep([reference])
    return is_current


def explain(discrepancy_id: str, by: str, why: str, now: datetime) -> None:
    """Put on record why a discrepancy is in order, and who says so. The same again changes nothing.

    Raises:
        Refused: there is none, or it is closed.
        Transient: database or store does not answer.
    """
    with writing() as session:
        row = session.get(DiscrepancyRow, discrepancy_id)
        if row is None:
            raise unknown()
        _lock(session, [row.reference])
        session.refresh(row)
        if row.state == DiscrepancyState.CLOSED:
            raise Refused("DISCREPANCY_CLOSED", "its cause is gone", where="discrepancy_id", status=HTTPStatus.CONFLICT)
        last = _events(session, [discrepancy_id])[-1]
        if (last.state, last.by, last.why) != (DiscrepancyState.EXPLAINED, by, why):
            row.state = DiscrepancyState.EXPLAINED
            told = {"number": last.number + 1, "state": row.state, "at": now, "by": by, "why": why}
            insert_rows(session, DiscrepancyEventRow, [{"discrepancy_id": discrepancy_id} | told])
            kept_discrepancies.count(session, [row.reference])
    kept_discrepancies.keep([row.reference])


def unknown() -> Refused:
    return Refused(
        "UNKNOWN_DISCREPANCY",
        "that archive has no such discrepancy",
        where="discrepancy_id",
        status=HTTPStatus.NOT_FOUND,
    )


def standing(
    reference: str | None, codes: Collection[DiscrepancyCode] = frozenset(DiscrepancyCode)
) -> dict[str, Discrepancy]:
    """What is not closed of an archive, be it open or explained, by id, in the order of the codes."""
    wanted = (col(DiscrepancyRow.code).in_(codes), DiscrepancyRow.state != DiscrepancyState.CLOSED)
    ordered = select(DiscrepancyRow).where(_of([reference]), *wanted).order_by(*_ORDER)
    with reading() as session:
        return {row.discrepancy_id: _discrepancy(row) for row in session.exec(ordered)}


def open_ones(reference: str) -> list[Discrepancy]:
    """What nobody has explained, in the order of the codes."""
    wanted = (DiscrepancyRow.reference == reference, DiscrepancyRow.state == DiscrepancyState.OPEN)
    with reading() as session:
        return [_discrepancy(row) for row in session.exec(select(DiscrepancyRow).where(*wanted).order_by(*_ORDER))]


def views(session: Session, reference: str) -> list[DiscrepancyView]:
    """The discrepancies of an archive with their history, closed ones too, in the order of their codes."""
    found = select(DiscrepancyRow).where(DiscrepancyRow.reference == reference)
    rows = session.exec(found.order_by(*_ORDER)).all()
    events = _events(session, [row.discrepancy_id for row in rows])
    by_id = {key: list(its) for key, its in groupby(events, lambda each: each.discrepancy_id)}
    return [_view(row, by_id[row.discrepancy_id]) for row in rows]


def _view(row: DiscrepancyRow, events: Sequence[DiscrepancyEventRow]) -> DiscrepancyView:
    since = since_opened(events)
    explained = [each for each in since if each.state == DiscrepancyState.EXPLAINED]
    closed = [each for each in since if each.state == DiscrepancyState.CLOSED]
    return DiscrepancyView(
        **row.model_dump(),
        sentence=sentence(DiscrepancyCode(row.code), row.expected, row.found),
        opened_at=since[0].at,
        closed_at=closed[-1].at if closed else None,
        explanation=ExplanationView(**explained[-1].model_dump()) if explained else None,
    )


def _settle(session: Session, found: Found, codes: Collection[DiscrepancyCode], now: datetime) -> None:
    rows = _rows(session, found, codes)
    known: dict[str | None, dict[str, Known]] = {reference: {} for reference in found}
    for row, _ in rows.values():
        known[row.reference][row.discrepancy_id] = Known(_discrepancy(row), DiscrepancyState(row.state))
    changed = {
        reference: its_changes
        for reference, each in found.items()
        if (its_changes := changes(known[reference], by_id(reference, each), codes))
    }
    flat = [change for its_changes in changed.values() for change in its_changes]
    _update(session, [each for each in flat if each.discrepancy_id in rows])
    insert_rows(session, DiscrepancyRow, _new_rows(changed, rows))
    numbers = {discrepancy_id: number for discrepancy_id, (_, number) in rows.items()}
    insert_rows(session, DiscrepancyEventRow, [_event(each, numbers, now) for each in flat if each.is_event])
    kept_discrepancies.count(session, list(changed))


def _rows(
    session: Session, references: Collection[str | None], codes: Collection[DiscrepancyCode]
) -> dict[str, tuple[DiscrepancyRow, int]]:
    """What there is of these codes, each with the number of its last event."""
    last = (
        select(func.max(DiscrepancyEventRow.number))
        .where(DiscrepancyEventRow.discrepancy_id == DiscrepancyRow.discrepancy_id)
        .correlate(DiscrepancyRow)
        .scalar_subquery()
    )
    wanted = select(DiscrepancyRow, last).where(_of(references), col(DiscrepancyRow.code).in_(codes))
    return {row.discrepancy_id: (row, number) for row, number in session.exec(wanted)}


def _new_rows(
    changed: Mapping[str | None, Sequence[Change]], rows: Mapping[str, tuple[DiscrepancyRow, int]]
) -> list[Mapping[str, Any]]:
    return [
        row
        for reference, its_changes in changed.items()
        for row in discrepancy_rows(reference, [each.discrepancy for each in its_changes])[DiscrepancyRow]
        if row["discrepancy_id"] not in rows
    ]


def _update(session: Session, changed: Sequence[Change]) -> None:
    if not changed:
        return
    table = SQLModel.metadata.tables[str(DiscrepancyRow.__tablename__)]
    become = [
        {"key": each.discrepancy_id, "state": each.state, "expected": each.discrepancy.expected,
         "found": each.discrepancy.found}
        for each in changed
    ]  # fmt: skip
    session.connection().execute(update(table).where(table.c.discrepancy_id == bindparam("key")), become)
    session.expire_all()


def _event(change: Change, numbers: Mapping[str, int], now: datetime) -> dict[str, Any]:
    number = numbers.get(change.discrepancy_id, 0) + 1
    event = {"discrepancy_id": change.discrepancy_id, "number": number, "state": change.state}
    return event | {"at": now, "by": None, "why": None}


def _lock(session: Session, references: Sequence[str | None]) -> None:
    """Keep others from changing the discrepancies of archives. SQLite has one writer at a time anyway."""
    named = [each for each in references if each is not None]
    locked = select(ArchiveRow.reference).where(col(ArchiveRow.reference).in_(named))
    # In one order: two that lock several would else wait for each other.
    session.exec(locked.order_by(ArchiveRow.reference).with_for_update()).all()
    if len(named) < len(references) and session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_OF_NO_ARCHIVE})


def _events(session: Session, discrepancy_ids: Sequence[str]) -> list[DiscrepancyEventRow]:
    """In order, by discrepancy and number."""
    found: list[DiscrepancyEventRow] = []
    for page in pages(sorted(discrepancy_ids)):
        theirs = select(DiscrepancyEventRow).where(col(DiscrepancyEventRow.discrepancy_id).in_(page))
        found += session.exec(theirs.order_by(DiscrepancyEventRow.discrepancy_id, col(DiscrepancyEventRow.number)))
    return found


def _of(references: Collection[str | None]) -> ColumnElement[bool]:
    column = col(DiscrepancyRow.reference)
    named = column.in_([each for each in references if each is not None])
    return or_(named, column.is_(None)) if None in references else named


def _discrepancy(row: DiscrepancyRow) -> Discrepancy:
    return Discrepancy(DiscrepancyCode(row.code), row.transaction_id, row.expected, row.found, row.subject)

"""Reads the recorded discrepancies of archives."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import sqlalchemy
from sqlalchemy import ColumnElement, Row, bindparam
from sqlmodel import Session, col, exists, func, or_, select

from adapters.database.transactions import asking, pages, read_all, reading, streamed
from domain.payments.discrepancies import by_id, sentence, since_opened
from models.columns import table_of
from models.discrepancies import Discrepancy, DiscrepancyCode, DiscrepancyEventRow, DiscrepancyRow, DiscrepancyState
from models.payments import PaymentRow, Standing
from models.views.archives.payments import DiscrepancyView, ExplanationView

NOT_CLOSED = col(DiscrepancyRow.state) != DiscrepancyState.CLOSED
# Made once, since making a query takes longer than the database.
_ITS = bindparam("its_reference", type_=sqlalchemy.String())
_MAY_HAVE = sqlalchemy.select(
    or_(
        exists().where(
            col(PaymentRow.reference) == _ITS, col(PaymentRow.standing).in_(bindparam("standings", expanding=True))
        ),
        exists().where(
            col(DiscrepancyRow.reference) == _ITS,
            col(DiscrepancyRow.code).in_(bindparam("codes", expanding=True)),
            NOT_CLOSED,
        ),
    )
)
_ORDER = (col(DiscrepancyRow.code), col(DiscrepancyRow.discrepancy_id))


def not_closed_by_id(
    reference: str | None, codes: Collection[DiscrepancyCode] = frozenset(DiscrepancyCode)
) -> dict[str, Discrepancy]:
    """Return the open and explained discrepancies of an archive, by id, in the order of the codes."""
    wanted = (col(DiscrepancyRow.code).in_(codes), NOT_CLOSED)
    ordered = select(DiscrepancyRow).where(of_references([reference]), *wanted).order_by(*_ORDER)
    return {row.discrepancy_id: discrepancy_of(row) for row in read_all(ordered)}


def are_not_closed(reference: str, codes: Collection[DiscrepancyCode], found: Sequence[Discrepancy]) -> bool:
    """Return whether exactly these discrepancies of an archive, of these codes, are not closed."""
    if not found:
        return not may_have_discrepancies(reference, codes, ())
    expected = by_id(reference, found)
    table = table_of(DiscrepancyRow)
    wanted = of_references([reference]), col(DiscrepancyRow.code).in_(codes), NOT_CLOSED
    with reading() as session:
        for row in streamed(session, sqlalchemy.select(table).where(*wanted)):
            if expected.pop(row.discrepancy_id, None) != discrepancy_of(row):
                return False
    return not expected


def may_have_discrepancies(
    reference: str, codes: Collection[DiscrepancyCode], standings: Collection[Standing] = frozenset(Standing)
) -> bool:
    """Return whether an archive has payments with one of `standings`, from which `codes` follow, or discrepancies of
    `codes` that are not closed. One query.
    """
    asked = {"its_reference": reference, "codes": list(codes), "standings": list(standings)}
    with asking() as session:
        return bool(session.connection().execute(_MAY_HAVE, asked).scalar_one())


def open_discrepancies(reference: str, most: int) -> list[Discrepancy]:
    """Return the first of the open discrepancies of an archive, in the order of the codes."""
    wanted = (DiscrepancyRow.reference == reference, DiscrepancyRow.state == DiscrepancyState.OPEN)
    ordered = select(DiscrepancyRow).where(*wanted).order_by(*_ORDER)
    return [discrepancy_of(row) for row in read_all(ordered.limit(most))]


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
    found = select(DiscrepancyRow).where(DiscrepancyRow.reference == reference, NOT_CLOSED)
    with reading() as session:
        return views_of(session, session.exec(found.order_by(*_ORDER).limit(most)).all())


def count_not_closed(reference: str) -> dict[DiscrepancyState, int]:
    """Return how many discrepancies of an archive are open, and how many are explained."""
    state = col(DiscrepancyRow.state)
    its = DiscrepancyRow.reference == reference, state != DiscrepancyState.CLOSED
    counted = select(state, func.count()).where(*its).group_by(state)
    counts = {DiscrepancyState(each): count for each, count in read_all(counted)}
    return {each: counts.get(each, 0) for each in (DiscrepancyState.OPEN, DiscrepancyState.EXPLAINED)}


def count_open_by_code(reference: str) -> dict[str, int]:
    """Return the number of open discrepancies of an archive by code, in the order of the codes."""
    code = col(DiscrepancyRow.code)
    its = DiscrepancyRow.reference == reference, DiscrepancyRow.state == DiscrepancyState.OPEN
    return dict(read_all(select(code, func.count()).where(*its).group_by(code).order_by(code)))


def views_of(session: Session, rows: Sequence[DiscrepancyRow]) -> list[DiscrepancyView]:
    """Return discrepancies with their history, in the order of the rows."""
    events = events_of(session, [row.discrepancy_id for row in rows])
    by_id = {key: list(its) for key, its in groupby(events, lambda each: str(each.discrepancy_id))}
    return [_view(row, by_id[row.discrepancy_id]) for row in rows]


def _view(row: DiscrepancyRow, events: Sequence[Row[Any]]) -> DiscrepancyView:
    since = since_opened(events)
    explained = [each for each in since if each.state == DiscrepancyState.EXPLAINED]
    closed = [each for each in since if each.state == DiscrepancyState.CLOSED]
    return DiscrepancyView(
        **row.model_dump() | {"values": row.values or {}},
        sentence=sentence(DiscrepancyCode(row.code), row.expected, row.found),
        opened_at=since[0].at,
        closed_at=closed[-1].at if closed else None,
        explanation=ExplanationView.model_validate(explained[-1]._mapping) if explained else None,
    )


def events_of(session: Session, discrepancy_ids: Iterable[str]) -> Iterator[Row[Any]]:
    """Yield the events of discrepancies, in order of discrepancy and number."""
    events = table_of(DiscrepancyEventRow)
    in_order = sqlalchemy.select(events).order_by(events.c.discrepancy_id, events.c.number)
    for page in pages(sorted(discrepancy_ids)):
        yield from streamed(session, in_order.where(events.c.discrepancy_id.in_(page)))


def of_references(references: Collection[str | None]) -> ColumnElement[bool]:
    column = col(DiscrepancyRow.reference)
    named = column.in_([each for each in references if each is not None])
    return or_(named, column.is_(None)) if None in references else named


def discrepancy_of(row: DiscrepancyRow | Row[Any]) -> Discrepancy:
    code = DiscrepancyCode(row.code)
    return Discrepancy(code, row.transaction_id, row.expected, row.found, row.subject, row.payment_id, row.values or {})

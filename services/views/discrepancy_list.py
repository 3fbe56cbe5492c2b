"""Lists discrepancies for people, of all archives and of no archive."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, literal_column
from sqlmodel import Session, col, exists, func, select

from adapters.database.listing import Order, listed
from adapters.database.transactions import reading
from models.archive.archive import ArchiveRow
from models.payments import DiscrepancyEventRow, DiscrepancyRow, DiscrepancyState
from models.views.archives.payments import DiscrepancyPage, DiscrepancyQuery, ListedDiscrepancy
from services.payments.recorded import views_of
from services.sources import check_filter

_IS_NOT_CLOSED: ColumnElement[bool] = col(DiscrepancyRow.state) != literal_column(f"'{DiscrepancyState.CLOSED}'")
"""With a literal, as an index on these rows has it: a parameter would not use it."""
_BY_CODE = Order(col(DiscrepancyRow.code), col(DiscrepancyRow.discrepancy_id))


def page(query: DiscrepancyQuery) -> DiscrepancyPage:
    """Return discrepancies in the order of their codes.

    Raises:
        Refused: there is no such source, or the cursor is invalid.
        Transient: the database does not answer.
    """
    check_filter(query.source)
    found = select(DiscrepancyRow).where(*_conditions(query))
    with reading() as session:
        rows, cursor = listed(session, found, _BY_CODE, query.cursor, query.limit)
        return DiscrepancyPage(items=_listed(session, rows), next=cursor)


def find(discrepancy_id: str) -> ListedDiscrepancy | None:
    """Return a discrepancy by its id; None if there is no such discrepancy."""
    with reading() as session:
        row = session.get(DiscrepancyRow, discrepancy_id)
        return _listed(session, [row])[0] if row else None


def newest_open(limit: int) -> list[ListedDiscrepancy]:
    """Return the open discrepancies, the last opened first.

    Raises:
        Transient: the database does not answer.
    """
    its_events = DiscrepancyEventRow.discrepancy_id == DiscrepancyRow.discrepancy_id
    # Per open discrepancy: closed discrepancies are never deleted, and would be read each time.
    opened_at = (
        select(func.max(DiscrepancyEventRow.at))
        .where(its_events, DiscrepancyEventRow.state == DiscrepancyState.OPEN)
        .correlate(DiscrepancyRow)
        .scalar_subquery()
    )
    open_ones = select(DiscrepancyRow).where(DiscrepancyRow.state == DiscrepancyState.OPEN)
    found = open_ones.order_by(opened_at.desc(), col(DiscrepancyRow.discrepancy_id))
    with reading() as session:
        return _listed(session, list(session.exec(found.limit(limit))))


def open_by_code() -> dict[str, int]:
    """Return the number of open discrepancies by code, in the order of the codes. Codes without any are left out.

    Raises:
        Transient: the database does not answer.
    """
    code = col(DiscrepancyRow.code)
    counted = select(code, func.count()).where(_IS_NOT_CLOSED, DiscrepancyRow.state == DiscrepancyState.OPEN)
    with reading() as session:
        return dict(session.exec(counted.group_by(code).order_by(code)).all())


def _listed(session: Session, rows: Sequence[DiscrepancyRow]) -> list[ListedDiscrepancy]:
    views = views_of(session, rows)
    return [
        ListedDiscrepancy(reference=row.reference, **view.model_dump()) for row, view in zip(rows, views, strict=True)
    ]


def _conditions(query: DiscrepancyQuery) -> list[ColumnElement[bool]]:
    state = col(DiscrepancyRow.state)
    conditions = [] if query.state is DiscrepancyState.CLOSED else [_IS_NOT_CLOSED]
    if query.state:
        conditions.append(state == query.state)
    if query.code is not None:
        conditions.append(col(DiscrepancyRow.code) == query.code)
    if query.reference is not None:
        conditions.append(col(DiscrepancyRow.reference) == (query.reference or None))  # with None it is `IS NULL`
    if query.source is not None:
        its = col(ArchiveRow.reference) == col(DiscrepancyRow.reference)
        conditions.append(exists().where(its, col(ArchiveRow.source) == query.source))
    return conditions

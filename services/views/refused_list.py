"""Lists refused deliveries for people: filters, newest first, page by page."""

from sqlalchemy import ColumnElement
from sqlmodel import col, select

from adapters.database.listing import Order, equal_to, listed
from adapters.database.transactions import reading
from models.runs.receipt import RefusedRow
from models.views.troubles import RefusedPage, RefusedQuery, RefusedView
from services.sources import check_filter

_NEWEST_FIRST = Order(col(RefusedRow.received_at), col(RefusedRow.delivery_id), is_descending=True)


def page(query: RefusedQuery) -> RefusedPage:
    """Return refused deliveries, newest first.

    Raises:
        Refused: there is no such source, or the cursor is invalid.
        Transient: the database does not answer.
    """
    with reading() as session:
        rows, cursor = listed(
            session, select(RefusedRow).where(*_conditions(query)), _NEWEST_FIRST, query.cursor, query.limit
        )
    if not rows:
        check_filter(query.source)
    return RefusedPage(items=[_view(row) for row in rows], next=cursor)


def _conditions(query: RefusedQuery) -> list[ColumnElement[bool]]:
    conditions = equal_to(RefusedRow, query, "reference", "process_number", "source", "code")
    if query.received_after is not None:
        conditions.append(col(RefusedRow.received_at) > query.received_after)
    if query.received_before is not None:
        conditions.append(col(RefusedRow.received_at) < query.received_before)
    return conditions


def _view(row: RefusedRow) -> RefusedView:
    return RefusedView.model_validate(row.model_dump())

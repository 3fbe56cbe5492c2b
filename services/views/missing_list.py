"""Lists missing processes for people: filters, the nearest deadline first, page by page."""

from datetime import UTC, datetime

from sqlalchemy import ColumnElement
from sqlmodel import col, select

from adapters.database.listing import Order, equal_to, listed
from adapters.database.transactions import reading
from domain.completeness.words import hours_left
from models.completeness.processes import MissingProcessRow
from models.views.troubles import FindingState, MissingPage, MissingQuery, MissingView
from services.sources import check_filter

_NEAREST_FIRST = Order(col(MissingProcessRow.deadline_at), col(MissingProcessRow.missing_id))


def page(query: MissingQuery) -> MissingPage:
    """Return missing processes, the nearest deadline first.

    Raises:
        Refused: there is no such source, or the cursor is invalid.
        Transient: the database does not answer.
    """
    now = datetime.now(UTC)
    with reading() as session:
        found = select(MissingProcessRow).where(*_conditions(query))
        rows, cursor = listed(session, found, _NEAREST_FIRST, query.cursor, query.limit)
    if not rows:
        check_filter(query.source)
    return MissingPage(items=[view(row, now) for row in rows], next=cursor)


def view(row: MissingProcessRow, now: datetime) -> MissingView:
    state = FindingState.OPEN if row.closed_at is None else FindingState.CLOSED
    return MissingView.model_validate(
        row.model_dump() | {"state": state, "hours_left": hours_left(row.deadline_at, now)}
    )


def _conditions(query: MissingQuery) -> list[ColumnElement[bool]]:
    conditions = equal_to(MissingProcessRow, query, "source", "reference", "why")
    is_open = col(MissingProcessRow.closed_at).is_(None)
    return [*conditions, is_open if query.state is FindingState.OPEN else ~is_open]

"""Lists the access log, newest first."""

from collections.abc import Iterator

from sqlmodel import col, select

from adapters.database.listing import Order, equal_to, listed
from adapters.database.transactions import reading
from models.access import AccessRow
from models.views.access import AccessPage, AccessQuery, AccessView

_NEWEST_FIRST = Order(col(AccessRow.at), col(AccessRow.digest), is_descending=True)
_MOST = 500


def page(query: AccessQuery) -> AccessPage:
    """Return a page of records. Raises Refused if the cursor is invalid."""
    found = select(AccessRow).where(*equal_to(AccessRow, query, "person", "reference", "action"))
    if query.since is not None:
        found = found.where(col(AccessRow.at) >= query.since)
    if query.until is not None:
        found = found.where(col(AccessRow.at) < query.until)
    with reading() as session:
        rows, cursor = listed(session, found, _NEWEST_FIRST, query.cursor, query.limit)
    return AccessPage(items=[AccessView.model_validate(row.model_dump()) for row in rows], next=cursor)


def every(query: AccessQuery) -> Iterator[AccessView]:
    """Yield all records that match, from the page that is asked for on."""
    cursor, is_first = query.cursor, True
    while is_first or cursor:
        found = page(query.model_copy(update={"cursor": cursor, "limit": _MOST}))
        yield from found.items
        cursor, is_first = found.next, False

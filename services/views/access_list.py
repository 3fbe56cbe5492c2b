"""Lists the access log, newest first."""

from collections.abc import Iterator

from sqlmodel import col, select

from adapters.database.listing import Order, equal_to, listed
from adapters.database.transactions import reading
from adapters.store.tombstones import known_digest
from models.access import AccessRow
from models.archive.archive import ArchiveRow
from models.views.access import AccessPage, AccessQuery, AccessView

_NEWEST_FIRST = Order(col(AccessRow.at), col(AccessRow.digest), is_descending=True)
_MOST = 500


def page(query: AccessQuery) -> AccessPage:
    """Return a page of records. Raises Refused if the cursor is invalid."""
    archive = col(ArchiveRow.digest) == col(AccessRow.reference)
    found = select(AccessRow, ArchiveRow.reference).join(ArchiveRow, archive, isouter=True)
    found = found.where(*equal_to(AccessRow, query, "person", "action"))
    if query.reference is not None:
        found = found.where(col(AccessRow.reference) == (known_digest(query.reference) or ""))
    if query.since is not None:
        found = found.where(col(AccessRow.at) >= query.since)
    if query.until is not None:
        found = found.where(col(AccessRow.at) < query.until)
    with reading() as session:
        rows, cursor = listed(session, found, _NEWEST_FIRST, query.cursor, query.limit)
    return AccessPage(items=[_view(*each) for each in rows], next=cursor)


def _view(row: AccessRow, reference: str | None) -> AccessView:
    return AccessView.model_validate(row.model_dump() | {"reference": reference, "reference_digest": row.reference})


def every(query: AccessQuery) -> Iterator[AccessView]:
    """Yield all records that match, from the page that is asked for on."""
    cursor, is_first = query.cursor, True
    while is_first or cursor:
        found = page(query.model_copy(update={"cursor": cursor, "limit": _MOST}))
        yield from found.items
        cursor, is_first = found.next, False

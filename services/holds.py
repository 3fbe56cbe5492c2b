"""Puts archives on legal hold and releases them. What people do stands in the store before the answer."""

from datetime import datetime

from sqlmodel import col, select

from adapters.database.listing import Order, equal_to, listed
from adapters.database.transactions import pages, reading, writing
from adapters.store import happened
from adapters.tables import holds
from models.archive.archive import ArchiveRow
from models.erasures import HoldRow
from models.errors import Refused
from models.views.archives.archives import ArchiveFilter
from models.views.archives.holds import Holding, HoldPage, HoldQuery, HoldView
from services.receipts import unknown_reference
from services.views.archive_conditions import conditions_of
from services.views.archive_view import hold_view

_NEWEST_FIRST = Order(col(HoldRow.at), col(HoldRow.hold_id), is_descending=True)


def put(chosen: ArchiveFilter, said: Holding, by: str, now: datetime) -> int:
    """Put all archives that match a filter now on hold, and return their number. An archive may be on several holds.

    Raises:
        Refused: the last day has passed; a reference that the filter names is of no archive, or of an erased one; or as
            `conditions_of`. Then no archive is put on hold.
        Transient: the database does not answer.
    """
    left, conditions = {*chosen.references, *filter(None, [chosen.reference])}, conditions_of(chosen)
    number = 0
    with writing() as session:
        found = session.exec(select(ArchiveRow.reference).where(*conditions).order_by(ArchiveRow.reference)).all()
        for page in pages(found):
            held = holds.insert(session, page, why=said.reason, by=by, at=now, until=said.until)
            left.difference_update(held)
            number += len(held)
        if left:
            raise unknown_reference(min(left))
        if said.until and said.until < holds.today():
            raise Refused("BAD_PARAMETER", "expected a day that has not passed", where="until")
    happened.keep()
    return number


def release(chosen: ArchiveFilter, by: str, reason: str | None, now: datetime) -> int:
    """Release all holds in force of the archives that match a filter, and return their number. Raises as `put`."""
    theirs = select(ArchiveRow.reference).where(*conditions_of(chosen))
    with writing() as session:
        number = holds.release(session, col(HoldRow.reference).in_(theirs), by, reason, now)
    happened.keep()
    return number


def release_one(hold_id: str, by: str, reason: str | None, now: datetime) -> HoldView:
    """Release a hold, and return it. One that is no longer in force stays as it is. Raises Refused if there is none."""
    with writing() as session:
        holds.release(session, col(HoldRow.hold_id) == hold_id, by, reason, now)
        row = session.get(HoldRow, hold_id)
    if row is None:
        raise Refused("UNKNOWN_HOLD", "there is no such hold; `cellar holds list` shows the holds", status=404)
    happened.keep()
    return hold_view(row)


def page(query: HoldQuery) -> HoldPage:
    """Return holds, the newest first. Raises Refused if the cursor is invalid."""
    conditions = equal_to(HoldRow, query, "reference")
    if query.in_force is not None:
        conditions.append(holds.IN_FORCE if query.in_force else ~holds.IN_FORCE)
    with reading() as session:
        rows, cursor = listed(session, select(HoldRow).where(*conditions), _NEWEST_FIRST, query.cursor, query.limit)
    return HoldPage(items=[hold_view(row) for row in rows], next=cursor)

"""Puts archives on legal hold and releases them. What people do stands in the store before the answer."""

from datetime import datetime

from sqlmodel import col, select

from adapters.database.transactions import pages, writing
from adapters.store import happened
from adapters.tables import holds
from models.archive.archive import ArchiveRow
from models.erasures import HoldRow
from models.errors import Refused
from models.views.archives.archives import ArchiveFilter
from models.views.archives.holds import Holding
from services.receipts import unknown_reference
from services.views.archive_conditions import conditions_of


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


def release(chosen: ArchiveFilter, by: str, reason: str | None, now: datetime, hold_id: str | None = None) -> int:
    """Release all holds in force of the archives that match a filter, or one of these, and return their number.

    Raises Refused if there is none. Otherwise as `put`.
    """
    theirs = col(HoldRow.reference).in_(select(ArchiveRow.reference).where(*conditions_of(chosen)))
    which = theirs if hold_id is None else theirs & (col(HoldRow.hold_id) == hold_id)
    with writing() as session:
        number = holds.release(session, which, by, reason, now)
    if not number:
        raise Refused("UNKNOWN_HOLD", "no such hold is in force; `cellar list --held` shows what is held", status=404)
    happened.keep()
    return number

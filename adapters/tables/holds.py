"""Legal holds in the database, and the archives that are due: those whose retention has ended and that are not held."""

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Date, and_, bindparam, or_
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, exists, select

from adapters.database.noted import note
from adapters.database.transactions import insert_rows, pages
from adapters.settings.settings import settings
from adapters.tables.archives import archives
from models.archive.archive import ArchiveRow
from models.columns import Moment
from models.erasures import HoldRow, TombstoneRow


def today() -> date:
    """Return the day in the zone of people. A hold is in force on its last day."""
    return datetime.now(settings().zone).date()


def _in_force(row: type[HoldRow]) -> ColumnElement[bool]:
    until = col(row.until)
    is_now = or_(until.is_(None), until >= bindparam("today", callable_=today, type_=Date()))
    return and_(col(row.released_at).is_(None), is_now)


IN_FORCE = _in_force(HoldRow)
_ITS = aliased(HoldRow)
IS_HELD: ColumnElement[bool] = col(ArchiveRow.reference).in_(select(_ITS.reference).where(_in_force(_ITS)))
IS_DUE: ColumnElement[bool] = and_(
    col(ArchiveRow.due_at) <= bindparam("due_by", callable_=lambda: datetime.now(UTC), type_=Moment()), ~IS_HELD
)
_IS_ERASED = exists().where(col(TombstoneRow.digest) == col(ArchiveRow.digest))


def held(session: Session, references: Collection[str]) -> set[str]:
    """Return those of some archives that are held."""
    return set(session.exec(select(HoldRow.reference).where(IN_FORCE, col(HoldRow.reference).in_(references))))


def insert(session: Session, references: Sequence[str], **members: Any) -> list[str]:
    """Put archives on hold, and return the references of these archives. Erased archives, and archives that are gone,
    are left out.

    The archives are locked until the transaction ends, as an erasure locks its archive.
    """
    archives.lock(session, references)
    its = select(ArchiveRow.reference).where(col(ArchiveRow.reference).in_(references), ~_IS_ERASED)
    rows = [{"hold_id": uuid4().hex, "reference": each, **members} for each in session.exec(its)]
    insert_rows(session, HoldRow, rows)
    note(session, HoldRow, col(HoldRow.hold_id).in_([row["hold_id"] for row in rows]))
    return [row["reference"] for row in rows]


def release(session: Session, which: ColumnElement[bool], by: str, why: str | None, at: datetime) -> int:
    """Release the holds in force that meet a condition, and return their number."""
    theirs = session.exec(select(HoldRow).where(IN_FORCE, which).with_for_update()).all()
    for each in theirs:
        each.released_by, each.released_at, each.released_why = by, at, why
    for page in pages(theirs):
        note(session, HoldRow, col(HoldRow.hold_id).in_([each.hold_id for each in page]))
    return len(theirs)

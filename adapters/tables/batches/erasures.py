"""What erasures read: archives by what a plan counts, and what forbids the erasure of one."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, case
from sqlmodel import Session, col, func, select

from adapters.database.transactions import read_all, read_first, reading
from adapters.tables.holds import IS_HELD
from domain.batches import RUNNABLE
from models.archive.archive import ArchiveRow
from models.archive.content import FileRow
from models.runs.batch import Skipped
from models.runs.receipt import RunRow, WaitingRow

_LONGEST = timedelta(days=1)
"""A run that began before and has no end is lost: its worker was killed, and Prefect has forgotten it."""
_MAY_GO = (col(ArchiveRow.state).in_(RUNNABLE), ~IS_HELD)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many archives may be erased, with how many files and bytes, and how many are left out."""

    archives: int
    files: int
    size_bytes: int
    held: int
    on_their_way: int


def counts(conditions: Sequence[ColumnElement[bool]]) -> Counts:
    """Count the archives that match, by whether they may be erased."""
    may_go = select(ArchiveRow.reference).where(*conditions, *_MAY_GO)
    held = func.coalesce(func.sum(case((IS_HELD, 1), else_=0)), 0)
    files = select(func.count(), func.coalesce(func.sum(FileRow.size_bytes), 0)).select_from(FileRow)
    with reading() as session:
        archives = session.exec(select(func.count()).select_from(may_go.subquery())).one()
        every, of_held = session.exec(select(func.count(), held).select_from(ArchiveRow).where(*conditions)).one()
        number, size_bytes = session.exec(files.where(col(FileRow.reference).in_(may_go))).one()
    return Counts(archives, number, int(size_bytes), of_held, every - archives - of_held)


def newest(conditions: Sequence[ColumnElement[bool]]) -> str | None:
    """Return the archive that was completed last, of those that may be erased."""
    found = select(ArchiveRow.reference).where(*conditions, *_MAY_GO)
    return read_first(found.order_by(col(ArchiveRow.completed_at).desc()))


def references(digests: Collection[str]) -> dict[str, str]:
    """Return the references of those of the archives that still have a row, each with its digest."""
    found = select(ArchiveRow.reference, ArchiveRow.digest).where(col(ArchiveRow.digest).in_(digests))
    return {reference: digest or "" for reference, digest in read_all(found)}


def why_not(session: Session, archive: ArchiveRow | None, now: datetime, *, is_free: bool) -> Skipped | None:
    """Return why an archive may not be erased now, in the transaction that has locked its row.

    `is_free`: no run works on it.
    """
    if archive is None:
        return Skipped.GONE
    its = col(ArchiveRow.reference) == archive.reference
    if session.exec(select(ArchiveRow.reference).where(its, IS_HELD)).first():
        return Skipped.HELD
    waits = select(WaitingRow.flow_run_id).where(WaitingRow.reference == archive.reference)
    notifies = select(RunRow.flow_run_id).where(  # without a lease
        RunRow.reference == archive.reference, col(RunRow.ended_at).is_(None), col(RunRow.started_at) > now - _LONGEST
    )
    is_on_way = not is_free or archive.state not in RUNNABLE or session.scalars(waits.union_all(notifies)).first()
    return Skipped.ON_ITS_WAY if is_on_way else None

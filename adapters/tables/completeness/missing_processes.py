"""Findings about missing processes in the database: opened, changed, alerted, closed."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy
from sqlalchemy import ColumnElement
from sqlmodel import Session, and_, col, or_, select, update

from adapters.database.noted import note
from adapters.database.transactions import insert_new, pages, read_all, read_row, writing
from domain.completeness.missing import ALERTS_H
from models.completeness.processes import Closing, MissingProcessRow, SessionEventRow

_MOST_OF_A_REFERENCE = 20
_NAMES = ("reference", "transaction_number", "process_number")
_IS_OPEN: ColumnElement[bool] = col(MissingProcessRow.closed_at).is_(None)
_DECIDED = (
    sqlalchemy.update(SessionEventRow)
    .where(col(SessionEventRow.event_id) == sqlalchemy.bindparam("its_id"))
    .values(decide_at=sqlalchemy.bindparam("at"), is_answered=sqlalchemy.bindparam("answered"))
)


def open_within(session: Session, row: MissingProcessRow) -> bool:
    """Open a finding in the caller's transaction, and return whether it was new."""
    is_new = insert_new(session, MissingProcessRow, row.model_dump())
    if is_new:
        note_within(session, [row.missing_id])
    return is_new


def change_within(session: Session, missing_id: str, values: Mapping[str, Any]) -> bool:
    """Change a finding in the caller's transaction, and return whether it was open."""
    its = (col(MissingProcessRow.missing_id) == missing_id, _IS_OPEN)
    changed = update(MissingProcessRow).where(*its).values(**values).returning(col(MissingProcessRow.missing_id))
    # Not by the ORM, which would compare each change with each row that the session has read.
    was_open = session.connection().execute(changed).first() is not None
    if was_open:
        note_within(session, [missing_id])
    return was_open


def note_within(session: Session, missing_ids: Sequence[str]) -> None:
    """Note findings that the caller's transaction has written."""
    for page in pages(missing_ids):
        note(session, MissingProcessRow, col(MissingProcessRow.missing_id).in_(page))


def close_lost(now: datetime) -> int:
    """Close the findings whose deadline has passed, and return their number: they stay in the history as lost."""
    late = update(MissingProcessRow).where(_IS_OPEN, col(MissingProcessRow.deadline_at) <= now)
    with writing() as session:
        closed = late.values(closed_at=now, closed_why=Closing.DELETED).returning(col(MissingProcessRow.missing_id))
        found = session.scalars(closed).all()
        note_within(session, found)
        return len(found)


def dismiss(missing_id: str, by: str, reason: str, now: datetime) -> bool:
    """Close a finding for a person, and return whether it was open."""
    said = {"closed_at": now, "closed_why": Closing.DISMISSED, "closed_by": by, "closed_reason": reason}
    with writing() as session:
        return change_within(session, missing_id, said)


def withdraw(by: str, at: datetime, now: datetime) -> int:
    """Open again what a person dismissed at a moment, and return the number. What its process reports is read again."""
    theirs = update(MissingProcessRow).where(
        col(MissingProcessRow.closed_at) == at,
        col(MissingProcessRow.closed_why) == Closing.DISMISSED,
        col(MissingProcessRow.closed_by) == by,
    )
    with writing() as session:
        opened = theirs.values(closed_at=None, closed_why=None, withdrawn_at=now).returning(MissingProcessRow)
        found = session.scalars(opened).all()
        for each in found:
            key = next(name for name in _NAMES if getattr(each, name) is not None)
            its = (col(SessionEventRow.source) == each.source, getattr(SessionEventRow, key) == getattr(each, key))
            session.execute(update(SessionEventRow).where(*its).values(is_answered=False, decide_at=now))
        note_within(session, [each.missing_id for each in found])
        return len(found)


def find(missing_id: str) -> MissingProcessRow | None:
    return read_row(MissingProcessRow, missing_id)


def open_of(session: Session, reference: str) -> list[MissingProcessRow]:
    """Return the open findings about a reference, the nearest deadline first; at most 20."""
    found = select(MissingProcessRow).where(MissingProcessRow.reference == reference, _IS_OPEN)
    return list(session.exec(found.order_by(col(MissingProcessRow.deadline_at)).limit(_MOST_OF_A_REFERENCE)))


def unannounced(now: datetime) -> list[MissingProcessRow]:
    """Return the open findings that were not announced, the nearest deadline first."""
    left = (_IS_OPEN, col(MissingProcessRow.announced_at).is_(None), col(MissingProcessRow.deadline_at) > now)
    return read_all(select(MissingProcessRow).where(*left).order_by(col(MissingProcessRow.deadline_at)))


def set_announced(missing_id: str, now: datetime) -> None:
    with writing() as session:
        change_within(session, missing_id, {"announced_at": now})


def nearing(now: datetime) -> list[MissingProcessRow]:
    """Return the open findings for which an alert is due, the nearest deadline first."""
    deadline_at, alerted_h = col(MissingProcessRow.deadline_at), col(MissingProcessRow.alerted_h)
    reached = [
        and_(deadline_at <= now + timedelta(hours=hours), or_(alerted_h.is_(None), alerted_h > hours))
        for hours in ALERTS_H
    ]
    # The first condition repeats the widest alert for the index.
    near = (_IS_OPEN, deadline_at > now, deadline_at <= now + timedelta(hours=max(ALERTS_H)), or_(*reached))
    return read_all(select(MissingProcessRow).where(*near).order_by(deadline_at))


def set_alerted(missing_id: str, hours: int, deadline_at: datetime) -> None:
    """Record an alert before a deadline. A deadline that has moved since has alerts of its own."""
    its = update(MissingProcessRow).where(
        col(MissingProcessRow.missing_id) == missing_id, col(MissingProcessRow.deadline_at) == deadline_at
    )
    with writing() as session:
        session.execute(its.values(alerted_h=hours))
        note_within(session, [missing_id])


def nearest_open(limit: int) -> list[MissingProcessRow]:
    """Return the open findings with the nearest deadlines."""
    found = select(MissingProcessRow).where(_IS_OPEN).order_by(col(MissingProcessRow.deadline_at))
    return read_all(found.limit(limit))


def set_decided(session: Session, decisions: Sequence[tuple[str, datetime | None, bool]]) -> None:
    """Record of session events, by id, when they are looked at again and whether they are answered."""
    rows = [{"its_id": event_id, "at": at, "answered": answered} for event_id, at, answered in decisions]
    for page in pages(rows):
        session.connection().execute(_DECIDED, page)

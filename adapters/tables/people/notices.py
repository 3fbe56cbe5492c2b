"""Notices in the database, and the letters about them. Several processes may notice the same thing at once: it has one
open notice.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, select, update

from adapters.database.noted import note
from adapters.database.transactions import insert_new, read_all, read_one, upsert, writing
from models.columns import table_of
from models.people import LetterRow, Notice, NoticeKind, NoticeRow

_IS_OPEN = col(NoticeRow.closed_at).is_(None)


def open_notices() -> list[Notice]:
    """Return the notices that are not closed, the oldest first."""
    rows = read_all(select(NoticeRow).where(_IS_OPEN).order_by(col(NoticeRow.opened_at), NoticeRow.notice_id))
    return [Notice.model_validate(row, from_attributes=True) for row in rows]


def last_closed(kind: NoticeKind, key: str) -> datetime | None:
    """Return until when the last closed notice of a thing counts: the time of the newest that it knew of."""
    closed = select(func.max(NoticeRow.last_at)).where(NoticeRow.kind == kind, NoticeRow.key == key, ~_IS_OPEN)
    return read_one(closed)


def keep(before: Notice | None, after: Notice, letters: Sequence[LetterRow]) -> bool:
    """Keep a notice as it is after a look, with the letters about it, in one transaction.

    Letters replace older letters of the notice that are not sent yet.

    Returns:
        Whether it is kept: not if another process has told people of the notice since `before`, or has opened one.
    """
    with writing() as session:
        is_kept = _is_changed(session, before, after) if before else insert_new(session, NoticeRow, after.model_dump())
        if not is_kept:
            return False
        if letters:
            older = (col(LetterRow.notice_id) == after.notice_id, col(LetterRow.next_at).is_not(None))
            session.execute(update(LetterRow).where(*older).values(next_at=None))
        for letter in letters:
            insert_new(session, LetterRow, letter.model_dump())
        note(session, NoticeRow, col(NoticeRow.notice_id) == after.notice_id)
        if letters:
            note(session, LetterRow, col(LetterRow.notice_id) == after.notice_id)
        return True


def _is_changed(session: Session, before: Notice, after: Notice) -> bool:
    """Write only what differs: another process may count at the same time."""
    was, now = before.model_dump(), after.model_dump()
    changed = {name: value for name, value in now.items() if value != was[name]}
    if not changed:
        return True
    same = (col(NoticeRow.notice_id) == before.notice_id, col(NoticeRow.told_times) == before.told_times, _IS_OPEN)
    return session.connection().execute(update(NoticeRow).where(*same).values(changed)).rowcount == 1


def report(notice: Notice) -> None:
    """Keep a new notice, or add its count to the open notice of the same thing."""
    with writing() as session:
        insert = upsert(session, NoticeRow).values(**notice.model_dump())
        table = table_of(NoticeRow)
        again = {
            "count": table.c.count + insert.excluded.count,
            "most": table.c.most + insert.excluded.count,
            "detail": insert.excluded.detail,
            "last_at": insert.excluded.last_at,
            "gone_at": None,
        }
        known = insert.on_conflict_do_update(index_elements=["kind", "key"], index_where=_IS_OPEN, set_=again)
        session.connection().execute(known)
        note(session, NoticeRow, col(NoticeRow.kind) == notice.kind, col(NoticeRow.key) == notice.key, _IS_OPEN)


def report_gone(kind: NoticeKind, now: datetime) -> None:
    """Note that the things of a kind are no longer wrong. The next look closes their notices."""
    with writing() as session:
        session.execute(update(NoticeRow).where(col(NoticeRow.kind) == kind, _IS_OPEN).values(gone_at=now))
        note(session, NoticeRow, col(NoticeRow.kind) == kind, _IS_OPEN)


def due_letters(addresses: Collection[str], now: datetime) -> list[LetterRow]:
    """Return the letters that are due, the oldest first. Letters to addresses that are no longer set are given up."""
    is_due = col(LetterRow.next_at) <= now
    with writing() as session:
        unset = update(LetterRow).where(is_due, col(LetterRow.address).not_in(addresses))
        unset = unset.values(next_at=None, failure="the address is no longer set")
        for notice_id in set(session.scalars(unset.returning(col(LetterRow.notice_id)))):
            note(session, LetterRow, col(LetterRow.notice_id) == notice_id)
        return list(
            session.exec(select(LetterRow).where(is_due).order_by(col(LetterRow.planned_at), LetterRow.notice_id))
        )


def claim_letter(letter: LetterRow, until: datetime) -> bool:
    """Postpone a letter that is sent now, and return whether no other process sends it.

    A process that is killed before it has kept what came of the letter leaves it to the next after `until`. It is no
    lease: nobody renews it, and to be postponed is all that a letter needs.
    """
    same = (*_is(letter), col(LetterRow.attempts) == letter.attempts, col(LetterRow.next_at).is_not(None))
    claimed = update(LetterRow).where(*same).values(next_at=until, attempts=letter.attempts + 1)
    with writing() as session:
        is_ours = session.connection().execute(claimed).rowcount == 1
        if is_ours:
            note(session, LetterRow, *_is(letter))
        return is_ours


def keep_sent(letter: LetterRow, now: datetime) -> None:
    """Keep that an address has taken a letter. A newer letter of the notice may have replaced it meanwhile."""
    with writing() as session:
        taken = {"sent_at": now, "next_at": None, "failure": None, "failed_at": None}
        session.execute(update(LetterRow).where(*_is(letter)).values(taken))
        note(session, LetterRow, *_is(letter))


def keep_failed(letter: LetterRow, why: str, next_at: datetime | None, now: datetime) -> None:
    """Keep that an address has not taken a letter, and when it is sent again. A replaced letter is not sent again."""
    waits = col(LetterRow.next_at).is_not(None)
    with writing() as session:
        session.execute(update(LetterRow).where(*_is(letter)).values(failure=why, failed_at=now))
        session.execute(update(LetterRow).where(*_is(letter), waits).values(next_at=next_at))
        note(session, LetterRow, *_is(letter))


def newest_letters() -> dict[str, LetterRow]:
    """Return the letter of each address that was tried last."""
    tried = select(LetterRow).where(col(LetterRow.attempts) > 0).order_by(col(LetterRow.planned_at).desc())
    found: dict[str, LetterRow] = {}
    for each in read_all(tried.limit(200)):
        found.setdefault(each.address, each)
    return found


def _is(letter: LetterRow) -> "tuple[ColumnElement[bool], ...]":
    return (
        col(LetterRow.notice_id) == letter.notice_id,
        col(LetterRow.number) == letter.number,
        col(LetterRow.address) == letter.address,
    )

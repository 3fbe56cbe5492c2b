"""Letters in the database: what waits to be sent, and what came of it."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement
from sqlmodel import col, select, update

from adapters.database.transactions import reading, writing
from models.people import LetterRow


def due(addresses: Collection[str], now: datetime) -> list[LetterRow]:
    """Return the letters that are due, the oldest first. Letters to addresses that are no longer set are given up."""
    is_due = col(LetterRow.next_at) <= now
    with writing() as session:
        unset = update(LetterRow).where(is_due, col(LetterRow.address).not_in(addresses))
        session.execute(unset.values(next_at=None, failure="the address is no longer set"))
        return list(
            session.exec(select(LetterRow).where(is_due).order_by(col(LetterRow.planned_at), LetterRow.notice_id))
        )


def claim(letter: LetterRow, until: datetime) -> bool:
    """Postpone a letter that is sent now, and return whether no other process sends it.

    A process that is killed before it has kept what came of the letter leaves it to the next after `until`.
    """
    same = (*_is(letter), col(LetterRow.attempts) == letter.attempts, col(LetterRow.next_at).is_not(None))
    claimed = update(LetterRow).where(*same).values(next_at=until, attempts=letter.attempts + 1)
    with writing() as session:
        return session.connection().execute(claimed).rowcount == 1


def keep_sent(letter: LetterRow, now: datetime) -> None:
    """Keep that an address has taken a letter. A newer letter of the notice may have replaced it meanwhile."""
    with writing() as session:
        taken = {"sent_at": now, "next_at": None, "failure": None, "failed_at": None}
        session.execute(update(LetterRow).where(*_is(letter)).values(taken))


def keep_failed(letter: LetterRow, why: str, next_at: datetime | None, now: datetime) -> None:
    """Keep that an address has not taken a letter, and when it is sent again. A replaced letter is not sent again."""
    waits = col(LetterRow.next_at).is_not(None)
    with writing() as session:
        session.execute(update(LetterRow).where(*_is(letter)).values(failure=why, failed_at=now))
        session.execute(update(LetterRow).where(*_is(letter), waits).values(next_at=next_at))


def newest() -> dict[str, LetterRow]:
    """Return the letter of each address that was tried last."""
    with reading() as session:
        tried = select(LetterRow).where(col(LetterRow.attempts) > 0).order_by(col(LetterRow.planned_at).desc())
        found: dict[str, LetterRow] = {}
        for each in session.exec(tried.limit(200)):
            found.setdefault(each.address, each)
        return found


def _is(letter: LetterRow) -> "tuple[ColumnElement[bool], ...]":
    return (
        col(LetterRow.notice_id) == letter.notice_id,
        col(LetterRow.number) == letter.number,
        col(LetterRow.address) == letter.address,
    )

"""Logins to the console, and the wrong tokens of all receivers, in the database."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, or_
from sqlmodel import col, delete, select, update

from adapters.database.transactions import read_all, read_row, upsert, writing
from models.access import SignedInBy
from models.people import LoginRow, WrongTokensRow

SHOWN_FOR = timedelta(days=1)
"""How long a login by break-glass is a condition after its end."""

IS_BREAK_GLASS = col(LoginRow.signed_in_by) == SignedInBy.BREAK_GLASS


def add(login: LoginRow, now: datetime) -> None:
    """Keep a login, and remove the logins that have ended; those by break-glass a day later."""
    with writing() as session:
        is_over = col(LoginRow.ends_at) <= now
        session.execute(delete(LoginRow).where(is_over, or_(~IS_BREAK_GLASS, col(LoginRow.ends_at) <= now - SHOWN_FOR)))
        session.add(login)


def find(session_digest: str) -> LoginRow | None:
    return read_row(LoginRow, session_digest)


def seen(session_digest: str, now: datetime) -> None:
    """Keep that a person who is signed in has opened a page."""
    with writing() as session:
        session.execute(update(LoginRow).where(col(LoginRow.session) == session_digest).values(seen_at=now))


def end(now: datetime, *where: ColumnElement[bool]) -> int:
    """End the logins that meet all conditions, and return their number."""
    with writing() as session:
        lasting = (col(LoginRow.ends_at) > now, *where)
        connection = session.connection()
        ended = connection.execute(update(LoginRow).where(*lasting, IS_BREAK_GLASS).values(ends_at=now)).rowcount
        return ended + connection.execute(delete(LoginRow).where(*lasting)).rowcount


def lasting(now: datetime, *where: ColumnElement[bool]) -> Sequence[LoginRow]:
    """Return the logins that have not ended and meet all conditions, the newest first."""
    asked = select(LoginRow).where(col(LoginRow.ends_at) > now, *where)
    return read_all(asked.order_by(col(LoginRow.began_at).desc()))


def add_wrong_tokens(new: Mapping[str, tuple[int, datetime]], now: datetime) -> dict[str, tuple[int, datetime]]:
    """Add wrong tokens to those of all receivers, and return all, by key: their number, and when it ends to count."""
    rows = [{"key": key, "number": number, "ends_at": ends_at} for key, (number, ends_at) in sorted(new.items())]
    with writing() as session:
        session.execute(delete(WrongTokensRow).where(col(WrongTokensRow.ends_at) <= now))
        first = upsert(session, WrongTokensRow).values(rows)
        total = col(WrongTokensRow.number) + first.excluded.number
        added = first.on_conflict_do_update(index_elements=["key"], set_={"number": total})
        found = session.execute(added.returning(WrongTokensRow)).scalars()
        return {row.key: (row.number, row.ends_at) for row in found}

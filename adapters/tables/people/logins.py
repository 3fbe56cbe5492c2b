"""Logins to the console, and the wrong tokens of all receivers, in the database."""

from collections.abc import Mapping
from datetime import datetime

from sqlmodel import col, delete

from adapters.database.transactions import reading, upsert, writing
from models.people import LoginRow, WrongTokensRow


def add(login: LoginRow, now: datetime) -> None:
    """Keep a login, and remove the logins that have ended."""
    with writing() as session:
        session.execute(delete(LoginRow).where(col(LoginRow.ends_at) <= now))
        session.add(login)


def find(session_digest: str) -> LoginRow | None:
    with reading() as session:
        return session.get(LoginRow, session_digest)


def remove(session_digest: str) -> None:
    with writing() as session:
        session.execute(delete(LoginRow).where(col(LoginRow.session) == session_digest))


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

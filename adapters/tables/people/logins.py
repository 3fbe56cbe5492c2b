"""Logins to the console in the database."""

from datetime import datetime

from sqlmodel import col, delete

from adapters.database.transactions import reading, writing
from models.people import LoginRow


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

"""Reads how the database is: where it is, its clock, and how many archives it has in each state."""

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text
from sqlmodel import func, select

from adapters.database.transactions import engine, reading
from models.archive.archive import ArchiveRow
from models.errors import Unusable


def place() -> str:
    """Return which database the settings name, without user and password."""
    url = engine().url
    if url.get_backend_name() == "sqlite":
        return f"SQLite {url.database}"
    return f"{url.get_backend_name()} {url.database} at {url.host or 'its socket'}"


def archives_by_state() -> dict[str, int]:
    """Return the number of archives in each state that occurs.

    Raises:
        Transient: the database does not answer.
        Unusable: it has other tables than expected, or is not made yet.
    """
    check_file()
    counted = select(ArchiveRow.state, func.count()).group_by(ArchiveRow.state).order_by(ArchiveRow.state)
    with reading() as session:
        return dict(session.exec(counted).all())


def clock() -> datetime | None:
    """Return the time by the clock of the database's server; None for a file, which has no clock."""
    if engine().dialect.name == "sqlite":
        return None
    with reading() as session:
        told: datetime = session.connection().execute(text("SELECT clock_timestamp()")).scalar_one()
        return told.astimezone(UTC)


def check_file() -> None:
    """Check that a database in a file exists: reading would make an empty file.

    Raises:
        Unusable: it does not exist.
    """
    url = engine().url
    if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).exists():
        raise Unusable(f"the database {url.database} does not exist: run `cellar migrate`, or check CELLAR_DATA_DIR")

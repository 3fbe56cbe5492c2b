"""Reads how the database is: where it is, its clock and its connections, and how many rows of each kind it has."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlmodel import Session, col, func, select

from adapters.database.connections import engine
from adapters.database.outages import NAME, Program
from adapters.database.transactions import read_all, reading
from models.archive.archive import ArchiveRow, State
from models.discrepancies import DiscrepancyCode, DiscrepancyRow, DiscrepancyState
from models.errors import Unusable
from models.messages.notification import NotificationRow, NotificationState

_LIMITS = text(
    "SELECT current_setting('max_connections')::int, current_setting('superuser_reserved_connections')::int"
    " + coalesce(current_setting('reserved_connections', true), '0')::int"  # since Postgres 16
)
_CLIENTS = text(  # the type of another user's process is hidden
    "SELECT application_name FROM pg_stat_activity WHERE datid IS NOT NULL AND usesysid IS NOT NULL"
    " AND (backend_type IS NULL OR backend_type = 'client backend')"
)


@dataclass(frozen=True, slots=True)
class Connections:
    """The connections that a database server takes, and which programs are connected now."""

    most: int
    reserved: int
    """Connections that the server keeps for its administrators."""
    processes: dict[Program, int]
    """How many processes of each program of cellar are connected."""
    others: int
    """Connections of all other programs."""


def place() -> str:
    """Return which database the settings name, without user and password."""
    url = engine().url
    if url.get_backend_name() == "sqlite":
        return f"SQLite {url.database}"
    return f"{url.get_backend_name()} {url.database} at {url.host or 'its socket'}"


def archives_by_state() -> dict[str, int]:
    """Return the number of archives in each state that occurs.

    Raises Unusable if it has other tables than expected, or is not made yet.
    """
    check_file()
    counted = select(ArchiveRow.state, func.count()).group_by(ArchiveRow.state).order_by(ArchiveRow.state)
    return dict(read_all(counted))


def clock() -> datetime | None:
    """Return the time by the clock of the database's server; None for a file, which has no clock."""
    if engine().dialect.name == "sqlite":
        return None
    with reading() as session:
        told: datetime = session.connection().execute(text("SELECT clock_timestamp()")).scalar_one()
        return told.astimezone(UTC)


def connections() -> Connections | None:
    """Return the connections of the database's server; None for a file, which has none."""
    if engine().dialect.name == "sqlite":
        return None
    with reading() as session:
        most, reserved = session.connection().execute(_LIMITS).one()
        names = list(session.connection().execute(_CLIENTS).scalars())
    ours = [name for name in names if name.startswith(f"{NAME} ")]
    kinds = Counter(name.removeprefix(f"{NAME} ").partition(" ")[0] for name in set(ours))
    return Connections(most, reserved, {each: kinds[each] for each in Program}, len(names) - len(ours))


def check_file() -> None:
    """Check that a database in a file exists: reading would make an empty file.

    Raises Unusable if it does not exist.
    """
    url = engine().url
    if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).exists():
        raise Unusable(f"the database {url.database} does not exist: run `cellar migrate`, or check CELLAR_DATA_DIR")


@dataclass(frozen=True, slots=True)
class Counts:
    """The number of rows by their labels. Every known label is there, with 0 where there is no row."""

    archives: dict[tuple[str, ...], int]
    discrepancies: dict[tuple[str, ...], int]
    notifications: dict[tuple[str, ...], int]


def counts() -> Counts:
    """Count archives and notifications by state, and discrepancies by code and state."""
    with reading() as session:
        return Counts(
            archives=_zeros((state,) for state in State) | _by(session, ArchiveRow.state),
            discrepancies=_zeros((code, state) for code in DiscrepancyCode for state in DiscrepancyState)
            | _by(session, DiscrepancyRow.code, DiscrepancyRow.state),
            notifications=_zeros((state,) for state in NotificationState) | _by(session, NotificationRow.state),
        )


def _by(session: Session, *columns: Any) -> dict[tuple[str, ...], int]:
    grouped = select(func.count(), *map(col, columns)).group_by(*map(col, columns))
    return {tuple(row[1:]): row[0] for row in session.connection().execute(grouped)}


def _zeros(labels: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], int]:
    return dict.fromkeys((tuple(map(str, each)) for each in labels), 0)

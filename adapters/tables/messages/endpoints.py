"""Endpoints in the database: those that people added, and those that settings declare."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlmodel import Session, col, select, update

from adapters.database.transactions import insert_new, read_all, read_row, writing
from models.messages.notification import EndpointRow


def known() -> list[EndpointRow]:
    """Return the endpoints that are not removed, by name."""
    there = select(EndpointRow).where(col(EndpointRow.removed_at).is_(None))
    return read_all(there.order_by(EndpointRow.name))


def every() -> list[EndpointRow]:
    """Return all endpoints, removed ones too."""
    return read_all(select(EndpointRow).order_by(EndpointRow.name))


def find(name: str) -> EndpointRow | None:
    """Return an endpoint, a removed one too."""
    return read_row(EndpointRow, name)


def changeable(session: Session, name: str) -> EndpointRow | None:
    """Return an endpoint that the caller's transaction alone may change."""
    return session.get(EndpointRow, name, with_for_update=True)


def insert(session: Session, row: EndpointRow) -> bool:
    """Insert an endpoint unless its name was ever used. Return whether it was new."""
    return insert_new(session, EndpointRow, row.model_dump())


def restore(rows: Iterable[EndpointRow]) -> None:
    """Make the endpoints equal to `rows`."""
    with writing() as session:
        for row in rows:
            session.merge(row)


def declare(urls: Mapping[str, str], now: datetime) -> None:
    """Make the declared endpoints equal to `urls`, which has the URL of each name.

    An endpoint that is declared again keeps its state.
    """
    with writing() as session:
        declared = col(EndpointRow.is_declared).is_(True)
        gone = (declared, col(EndpointRow.removed_at).is_(None), col(EndpointRow.name).not_in(urls))
        session.execute(update(EndpointRow).where(*gone).values(removed_at=now))
        session.execute(update(EndpointRow).where(declared, col(EndpointRow.name).in_(urls)).values(removed_at=None))
        for name, url in urls.items():
            insert_new(
                session, EndpointRow, EndpointRow(name=name, url=url, is_declared=True, created_at=now).model_dump()
            )

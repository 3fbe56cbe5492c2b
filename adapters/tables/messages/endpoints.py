"""Endpoints in the database."""

from collections.abc import Iterable

from sqlmodel import Session, col, select

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

"""What each address of people was told last, in the database. Several processes may tell it at once: one does."""

from datetime import datetime
from typing import Any

from sqlmodel import col, update

from adapters.database.transactions import insert_new, read_row, writing
from models.people import AddressRow


def known(address: str, now: datetime) -> AddressRow:
    """Return an address as it is known, or as one that was never told anything."""
    return read_row(AddressRow, address) or AddressRow(address=address, next_at=now)


def claim(seen: AddressRow, until: datetime) -> bool:
    """Keep others from telling an address until then, and return whether none has told it since it was `seen`.

    A process that is killed before it has kept what came of its letter leaves the address to the next after `until`.
    It is no lease: nobody renews it.
    """
    with writing() as session:
        insert_new(session, AddressRow, seen.model_dump())
        same = (col(AddressRow.address) == seen.address, col(AddressRow.next_at) == seen.next_at)
        return session.connection().execute(update(AddressRow).where(*same).values(next_at=until)).rowcount == 1


def keep(address: str, **changed: Any) -> None:
    """Keep what came of a letter."""
    with writing() as session:
        session.execute(update(AddressRow).where(col(AddressRow.address) == address).values(changed))

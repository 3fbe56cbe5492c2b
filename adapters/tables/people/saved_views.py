"""Saved views in the database. A view that somebody removed or replaced stays as a record of who did it."""

from datetime import datetime

from sqlalchemy import Update
from sqlmodel import col, select, update

from adapters.database.noted import note
from adapters.database.transactions import insert_new, read_all, writing
from models.people import SavedViewRow

_IS_SHOWN = col(SavedViewRow.ended_at).is_(None)


def shown() -> list[SavedViewRow]:
    """Return the views that nobody has removed or replaced, by name."""
    return read_all(select(SavedViewRow).where(_IS_SHOWN).order_by(SavedViewRow.name))


def save(view: SavedViewRow, *, replace: bool = False) -> bool:
    """Keep a view, and return whether it is kept: not if its name is taken, unless it is to `replace` that view.

    It is not either if somebody else replaced that view in the same moment: two such updates see one row, and the index
    takes one of their inserts.
    """
    with writing() as session:
        if replace:
            session.execute(_ended(view.saved_by, view.saved_at).where(col(SavedViewRow.name) == view.name))
        is_kept = insert_new(session, SavedViewRow, view.model_dump())
        note(session, SavedViewRow, col(SavedViewRow.ended_at) == view.saved_at)
        note(session, SavedViewRow, col(SavedViewRow.view_id) == view.view_id)
        return is_kept


def remove(view_id: str, by: str, now: datetime) -> None:
    """Remove a view. A view that is gone already stays as it is."""
    with writing() as session:
        session.execute(_ended(by, now).where(col(SavedViewRow.view_id) == view_id))
        note(session, SavedViewRow, col(SavedViewRow.view_id) == view_id)


def _ended(by: str, now: datetime) -> Update:
    return update(SavedViewRow).where(_IS_SHOWN).values(ended_by=by, ended_at=now)

"""Saved views in the database. A view that somebody removed stays as a record of who did it."""

from datetime import datetime

from sqlmodel import col, select, update

from adapters.database.noted import note
from adapters.database.transactions import insert_new, read_all, writing
from models.people import SavedViewRow

_IS_SHOWN = col(SavedViewRow.ended_at).is_(None)


def shown() -> list[SavedViewRow]:
    """Return the views that nobody has removed, by name."""
    return read_all(select(SavedViewRow).where(_IS_SHOWN).order_by(SavedViewRow.name))


def save(view: SavedViewRow) -> bool:
    """Keep a view, and return whether it is kept: not if its name is taken."""
    with writing() as session:
        is_kept = insert_new(session, SavedViewRow, view.model_dump())
        note(session, SavedViewRow, col(SavedViewRow.view_id) == view.view_id)
        return is_kept


def remove(view_id: str, by: str, now: datetime) -> None:
    """Remove a view. A view that is gone already stays as it is."""
    with writing() as session:
        its = (_IS_SHOWN, col(SavedViewRow.view_id) == view_id)
        session.execute(update(SavedViewRow).where(*its).values(ended_by=by, ended_at=now))
        note(session, SavedViewRow, col(SavedViewRow.view_id) == view_id)

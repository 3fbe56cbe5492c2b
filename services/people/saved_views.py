"""Saves searches of archives under names that all people of an installation share."""

import secrets
from datetime import datetime

from adapters.tables.people import saved_views
from models.people import SavedViewRow


def shown() -> list[SavedViewRow]:
    """Return the views that people see, by name. Raises Transient if the database does not answer."""
    return saved_views.shown()


def save(name: str, query: str, by: str, now: datetime, *, replace: bool = False) -> bool:
    """Save a search with its columns, and return whether it is kept.

    It is not if its name is taken, unless it is to `replace` the view of that name.

    Raises:
        Transient: the database does not answer.
    """
    view = SavedViewRow(view_id=secrets.token_hex(16), name=name, query=query, saved_by=by, saved_at=now)
    return saved_views.replace(view) if replace else saved_views.add(view)


def remove(view_id: str, by: str, now: datetime) -> None:
    """Remove a view for all people. Raises Transient if the database does not answer."""
    saved_views.remove(view_id, by, now)

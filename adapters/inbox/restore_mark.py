"""The mark of a restore, `restore.json` in an inbox. Receivers and workers read it when they start."""

from adapters.files.store import storage_at
from adapters.settings.database_urls import database_place
from adapters.settings.settings import settings
from models.errors import Transient, WrongUse
from models.store.restoring import Mark

NAME = "restore.json"


def here() -> tuple[str, str, str]:
    """Return where this installation keeps its data: its store, inbox and database."""
    made = settings()
    return made.store_location, made.inbox_location, database_place(made.database_location)


def find() -> Mark | None:
    """Return the mark in the inbox; None if it has none."""
    data = storage_at(settings().inbox_location).found_bytes(NAME)
    return None if data is None else Mark.model_validate_json(data)


def put(mark: Mark) -> None:
    """Write a mark into the inbox, durably."""
    storage = storage_at(settings().inbox_location)
    storage.write(mark.model_dump_json(indent=2).encode(), NAME)
    storage.sync()


def check_complete() -> None:
    """Check that this installation may run. An inbox that does not answer stops nobody: it acknowledges nothing.

    Raises WrongUse if the restore of this installation is not complete.
    """
    try:
        mark = find()
    except Transient:
        return
    if mark and mark.target == here():
        where = storage_at(settings().inbox_location).location(NAME)
        raise WrongUse(f"the restore here is not complete: run `{mark.command}` again ({where} says so)")

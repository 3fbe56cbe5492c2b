"""The mark of a move or a restore, `move.json` in an inbox: which installation moves where, and how far it is.

Receivers and workers read it when they start. So the old installation acknowledges nothing any more once its inbox was
read for the last time, and the new installation does not start before everything is there.
"""

from adapters.files.store import storage_at
from adapters.settings.database_urls import database_place
from adapters.settings.settings import Settings, settings
from models.errors import Transient, WrongUse
from models.store.moving import Mark, Phase, Places

NAME = "move.json"


def places_of(made: Settings) -> Places:
    return Places(store=made.store_location, inbox=made.inbox_location, database=database_place(made.database_location))


def find(inbox: str) -> Mark | None:
    """Return the mark in an inbox; None if it has none."""
    data = storage_at(inbox).found_bytes(NAME)
    return None if data is None else Mark.model_validate_json(data)


def put(inbox: str, mark: Mark) -> None:
    """Write a mark into an inbox, durably."""
    storage = storage_at(inbox)
    storage.write(mark.model_dump_json(indent=2).encode(), NAME)
    storage.sync()


def check_not_moved() -> None:
    """Check that this installation may run. An inbox that does not answer stops nobody: it acknowledges nothing.

    Raises WrongUse if the installation has moved away, or the move to it is not complete.
    """
    try:
        mark = find(settings().inbox_location)
    except Transient:
        return
    ours = places_of(settings())
    where = storage_at(settings().inbox_location).location(NAME)
    if mark and mark.source == ours and mark.phase is not Phase.COPYING:
        to = f"store {mark.target.store}, database {mark.target.database}"
        raise WrongUse(
            f"this installation has moved to {to}; set CELLAR_STORE_URL, CELLAR_INBOX_URL and CELLAR_DATABASE_URL. To "
            f"go back to the data of {mark.at:%Y-%m-%d %H:%M} UTC, remove {where}; see docs/backup.md"
        )
    if mark and mark.target == ours and mark.phase is not Phase.COMPLETE:
        raise WrongUse(
            f"the move or restore to this installation is not complete: run `{mark.command}` again ({where} says so)"
        )

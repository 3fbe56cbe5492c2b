"""Checks that the store is where the settings say, since a wrong place would look like an empty store."""

from pathlib import Path

from adapters.files.store import store
from adapters.settings.settings import settings
from adapters.store import session_events, settlement_reports, sources, templates
from models.errors import WrongUse
from services.custody.verifying import absent_store
from services.health.probes import found_root

_BEFORE_ARCHIVES = (session_events.FOLDER, settlement_reports.FOLDER, sources.FOLDER, templates.FOLDER)


def require_store() -> None:
    """Check that the store has archives, or what may be kept there before the first archive.

    Raises:
        WrongUse: nothing was ever archived there.
        Transient: the store does not answer or is no folder; or it has no archive while the database has some.
    """
    if absent_store() is None:
        return
    if not any(next(store().listed(folder), None) for folder in _BEFORE_ARCHIVES):
        setting = "CELLAR_STORE_URL" if settings().store_url else "CELLAR_DATA_DIR"
        where = f"the working directory is {Path.cwd()}: run the command where `cellar up` runs"
        text = f"the store {settings().store_location} does not exist, or nothing was ever archived there"
        raise WrongUse(f"{text}; check {setting}; {where}")
    found_root()

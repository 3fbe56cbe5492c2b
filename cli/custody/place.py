"""Checks that the store is where the settings say, since a wrong place would look like an empty store."""

from pathlib import Path

from adapters.files.store import store
from adapters.settings.settings import settings
from models.errors import WrongUse


def require_store() -> None:
    """Check that the store's folder exists. A bucket answers for itself.

    Raises:
        WrongUse: there is no such folder.
    """
    path = store().suited(folder=lambda folder: folder.path, bucket=lambda _: None)
    if path is not None and not path.exists():
        setting = "CELLAR_STORE_URL" if settings().store_url else "CELLAR_DATA_DIR"
        where = f"the working directory is {Path.cwd()}: run the command where `cellar up` runs"
        raise WrongUse(f"the store {path} does not exist; check {setting}; {where}")

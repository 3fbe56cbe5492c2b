"""The store: the storage where archives are kept."""

from adapters.files.locations import storage_at
from adapters.files.storage import Storage
from adapters.settings.settings import settings


def store() -> Storage:
    """Return the storage of the archives. `ocfl` defines its layout, except for the progress of imports."""
    return storage_at(settings().store_location)


RESULTS_FOLDER = "results"


def result_key(name: str) -> str:
    """Return the key of what a run needs until it ends: the progress of an import. Earlier builds kept results here."""
    return f"{RESULTS_FOLDER}/{name}"

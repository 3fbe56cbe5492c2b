"""The store: the storage where archives are kept."""

from adapters.files.locations import storage_at
from adapters.files.storage import Storage
from adapters.settings.settings import settings


def store() -> Storage:
    """Return the storage of the archives. `ocfl` defines its layout, except for the results of Prefect's tasks."""
    return storage_at(settings().store_location)


RESULTS_FOLDER = "results"


def result_key(name: str) -> str:
    """Return the key of a Prefect task's result, which Retry reads."""
    return f"{RESULTS_FOLDER}/{name}"

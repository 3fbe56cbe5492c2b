"""Rewrites of more than an object's content: removals, and copies that are put back."""

import shutil
from pathlib import Path

from adapters.settings.settings import settings
from adapters.store import ocfl
from tests.insider.database import database_file
from tests.insider.objects import put


def place_of(reference: str, data: Path | None = None) -> Path:
    """Return the folder of a process's object, in this installation or in a copy of its data folder."""
    return (data / "store" if data else Path(settings().store_location)) / ocfl.object_key(reference)


def remove_object(reference: str) -> None:
    folder = place_of(reference)
    shutil.rmtree(folder)
    while not any((folder := folder.parent).iterdir()):
        folder.rmdir()


def put_object_back(reference: str, earlier: Path) -> None:
    """Put an object back as it was in an earlier copy."""
    shutil.rmtree(place_of(reference))
    shutil.copytree(place_of(reference, earlier), place_of(reference))


def put_store_back(earlier: Path) -> None:
    """Put the whole store and the database back as they were in an earlier copy."""
    shutil.rmtree(settings().store_location)
    shutil.copytree(earlier / "store", settings().store_location)
    put(database_file(), (earlier / database_file().name).read_bytes())
    for ending in ("-wal", "-shm"):
        database_file().with_name(database_file().name + ending).unlink(missing_ok=True)

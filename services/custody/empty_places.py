"""What stands in the way of a restore: programs that run here, and places that are not empty."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import inspect
from sqlmodel import SQLModel, col, select

import models.every_table  # noqa: F401
from adapters.database.connections import engine
from adapters.database.migration import revisions
from adapters.files.store import storage_at
from adapters.peers import receiver
from adapters.platform.durable import held
from adapters.settings.database_urls import database_place
from adapters.settings.settings import settings
from models.errors import WrongUse
from models.runs.receipt import Leased, LeaseRow
from models.search import TEXT_INDEX
from services.backups.bringing import files

_WATCHED_S = 26  # a worker renews its lease every 5 s, and its lease lasts 25 s
_OF_PROCESSES = {"change", "lease", "login", "wrong_tokens"}
_NEVER_ROWS = {*TEXT_INDEX, "alembic_version"}


@contextmanager
def kept_from_starting() -> Iterator[list[str]]:
    """Yield the names of what runs here. While the block goes on, `cellar up` cannot start on the data folder."""
    folder = settings().data_dir.absolute()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with held(folder / "up.lock") as is_free:
        found = [] if is_free else [f"`cellar up` on {folder}"]
        url = receiver.listens_at(settings().host, settings().port)
        found += [f"the receiver at {url}"] if url else []
        yield [*found, *(f"the worker {each}" for each in _living_workers())]


def _living_workers() -> list[str]:
    """Return the ids of the workers that renew their leases. If none that has not signed off does, it takes 26 s."""
    before, living = _expiries(), list[str]()
    for _ in range(_WATCHED_S if before else 0):
        time.sleep(1)  # leases are renewed by other processes, and nothing tells of it
        living = [each for each, expires_at in _expiries().items() if expires_at != before.get(each)]
        if living:
            break
    return living


def _expiries() -> dict[str, datetime]:
    if not (_has_database() and revisions().database):
        return {}
    its = select(LeaseRow.subject, LeaseRow.expires_at).where(col(LeaseRow.kind) == Leased.WORKER)
    with engine().connect().execution_options(cellar_reading=True) as connection:
        return {row.subject: row.expires_at for row in connection.execute(its)}


def require_empty() -> None:
    """Raise WrongUse if store, inbox or database have anything."""
    for name, location in {"store": settings().store_location, "inbox": settings().inbox_location}.items():
        place = storage_at(location)
        if next(files(place), None) is not None:
            raise WrongUse(
                f"{place.location('')} is not empty; a restore needs new places: move the old data aside, or set "
                f"CELLAR_{name.upper()}_URL or CELLAR_DATA_DIR"
            )
    if _has_database() and _has_rows():
        raise WrongUse("the database is not empty; let CELLAR_DATABASE_URL name a new, empty database")


def _has_database() -> bool:
    location = settings().database_location
    return not location.startswith("sqlite") or Path(database_place(location)).exists()


def _has_rows() -> bool:
    """Return whether the database has tables of something else, or rows but of processes and of who is signed in."""
    known = SQLModel.metadata.tables
    with engine().connect().execution_options(cellar_reading=True) as connection:
        there = set(inspect(connection).get_table_names()) - _NEVER_ROWS - _OF_PROCESSES
        return any(
            name not in known or connection.execute(known[name].select().limit(1)).first() is not None for name in there
        )

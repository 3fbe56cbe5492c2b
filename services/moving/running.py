"""Finds out which programs of the old installation still run."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine, select
from sqlmodel import col

from adapters.peers import receiver
from adapters.platform.locks import held
from adapters.settings.settings import Settings
from models.runs.run import Leased, LeaseRow

_WATCHED_S = 26  # a worker renews its lease every 5 s, and its lease lasts 25 s


@contextmanager
def kept_from_starting(old: Settings) -> Iterator[list[str]]:
    """Yield the names of what runs. While the block goes on, `cellar up` cannot start on the old data folder."""
    with held_up(old.data_dir.absolute()) as is_free:
        yield [*([] if is_free else [f"`cellar up` on {old.data_dir.absolute()}"]), *_receivers(old)]


@contextmanager
def held_up(folder: Path) -> Iterator[bool]:
    """Hold the lock of `cellar up`. A folder that is gone, as on another machine, has none."""
    if not folder.is_dir():
        yield True
        return
    with held(folder / "up.lock") as is_free:
        yield is_free


def _receivers(old: Settings) -> list[str]:
    url = receiver.listens_at(old.host, old.port)
    return [f"the receiver at {url}"] if url else []


def living_workers(database: Engine) -> list[str]:
    """Return the ids of the workers that renew their leases. If none that has not signed off does, it takes 26 s."""
    before, living = _expiries(database), list[str]()
    for _ in range(_WATCHED_S if before else 0):
        time.sleep(1)
        living = [each for each, expires_at in _expiries(database).items() if expires_at != before.get(each)]
        if living:
            break
    return living


def _expiries(database: Engine) -> dict[str, datetime]:
    its = select(col(LeaseRow.subject), col(LeaseRow.expires_at)).where(col(LeaseRow.kind) == Leased.WORKER)
    with database.connect().execution_options(cellar_reading=True) as connection:
        return {row.subject: row.expires_at for row in connection.execute(its)}

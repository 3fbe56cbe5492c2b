"""Finds out which programs of the old installation still run."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, select
from sqlmodel import col

from adapters.peers import receiver
from adapters.platform.locks import held
from adapters.settings.settings import Settings
from models.runs.worker import WorkerRow

_WATCHED_S = 26  # a worker beats every 5 s; workers take each other for dead after 25 s


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
    """Return the ids of the workers that beat. If none of those that have not signed off does, looking takes 26 s."""
    before, living = _beats(database), list[str]()
    for _ in range(_WATCHED_S if before else 0):
        time.sleep(1)
        living = [each for each, beats in _beats(database).items() if beats != before.get(each)]
        if living:
            break
    return living


def _beats(database: Engine) -> dict[str, int]:
    with database.connect().execution_options(cellar_reading=True) as connection:
        rows = connection.execute(select(col(WorkerRow.worker_id), col(WorkerRow.beats)))
        return {row.worker_id: row.beats for row in rows}

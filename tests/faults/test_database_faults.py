"""The database is away, hangs, restarts, fails over to another server, or is locked by another process."""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.installation import Installation, distributed
from tests.faults.postgres import follower_of
from tests.faults.way import Fault

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]

_LASTS_S = 15


def test_archives_are_completed_once_when_postgres_is_away(
    distributed_parts: Installation, survives: Callable[..., None]
) -> None:
    way = distributed_parts.ways["database"]

    def _fault() -> None:
        way.spoil(Fault.CUT)
        time.sleep(_LASTS_S)
        way.heal()

    survives(distributed_parts, _fault)


def test_archives_are_completed_once_when_postgres_hangs(
    distributed_parts: Installation, survives: Callable[..., None]
) -> None:
    server = distributed_parts.parts["database"]

    def _fault() -> None:
        server.pause()
        time.sleep(_LASTS_S)
        server.resume()

    survives(distributed_parts, _fault)


def test_archives_are_completed_once_when_postgres_restarts(
    distributed_parts: Installation, survives: Callable[..., None]
) -> None:
    server = distributed_parts.parts["database"]

    def _fault() -> None:
        time.sleep(2)
        server.interrupt()  # Postgres's "fast" shutdown, since SIGTERM waits until every client has left
        server.start()

    survives(distributed_parts, _fault)


def test_archives_are_completed_once_when_the_database_is_locked_by_another_process(
    embedded_parts: Installation, survives: Callable[..., None]
) -> None:
    def _fault() -> None:
        time.sleep(1)
        with sqlite3.connect(embedded_parts.folder / "data" / "cellar.db", timeout=60) as locked:
            locked.execute("BEGIN EXCLUSIVE")
            time.sleep(_LASTS_S)
            locked.rollback()
        locked.close()

    survives(embedded_parts, _fault)


def test_archives_are_completed_once_when_the_database_fails_over(
    tmp_path: Path, survives: Callable[..., None]
) -> None:
    """The second server holds what the first has confirmed. The address leads to it once it is promoted."""
    with distributed(tmp_path) as made:
        first = made.database
        assert first
        with follower_of(first) as second:

            def _fault() -> None:
                time.sleep(4)
                first.part.kill()
                time.sleep(2)
                second.promote()
                made.ways["database"].lead_to(second.port)

            survives(made, _fault)

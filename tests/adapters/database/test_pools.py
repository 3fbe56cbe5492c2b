"""A process opens as many connections as its setting allows, and names them."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import psycopg
import pytest
from sqlalchemy import Engine, text

from adapters.database.outages import Program, connect_as
from adapters.database.transactions import engine, reading
from adapters.settings.settings import Settings

_MOST = 5
_NAMES = "SELECT application_name FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


def test_threads_beyond_the_connections_wait_for_one(
    configure: Callable[..., Settings], postgres_installation: str
) -> None:
    configure(database_url=postgres_installation, worker_connections=_MOST)
    connect_as(Program.COMMAND)  # another test may have run a receiver in this process
    all_at_once = Barrier(4 * _MOST)

    def _use(_: int) -> None:
        all_at_once.wait()
        with reading() as session:
            session.connection().execute(text("SELECT pg_sleep(0.05)"))

    with ThreadPoolExecutor(4 * _MOST) as threads:
        list(threads.map(_use, range(4 * _MOST)))

    with psycopg.connect(postgres_installation) as connection:
        names = [name for (name,) in connection.execute(_NAMES)]
    assert len(names) == _MOST  # it keeps what it has opened
    assert all(name.startswith("cellar command ") for name in names)


@pytest.fixture
def _often_switched() -> Iterator[None]:
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual_s)


@pytest.mark.usefixtures("_often_switched")
def test_threads_that_ask_first_at_the_same_time_share_one_pool(configure: Callable[..., Settings]) -> None:
    for _ in range(20):
        configure()
        all_at_once = Barrier(8)

        def _ask(_: int, all_at_once: Barrier = all_at_once) -> Engine:
            all_at_once.wait()
            return engine()

        with ThreadPoolExecutor(8) as threads:
            assert len(set(threads.map(_ask, range(8)))) == 1

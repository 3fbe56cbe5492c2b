"""A process opens as many connections as its setting allows, and names them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import psycopg
from sqlalchemy import text

from adapters.database.pools import Program, connect_as
from adapters.database.transactions import reading
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

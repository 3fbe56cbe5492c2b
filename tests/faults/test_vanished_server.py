"""The machine of the database vanishes in the middle of a query: no packet comes back, not even a refusal.

Needs root and iptables, to drop the packets of one port on loopback.
"""

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest

from adapters.database.transactions import reading
from models.errors import Transient
from tests.conftest import Configure, wait_until
from tests.faults.postgres import leader

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

_NOTICED_WITHIN_S = 90
_SLEEPERS = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(1000)%' AND pid <> pg_backend_pid()"


def test_a_query_ends_as_transient_when_the_machine_of_the_database_vanishes(
    configure: Configure,
) -> None:
    with leader() as server, ThreadPoolExecutor(1) as pool:
        configure(database_url=server.url())
        asking = pool.submit(_sleep)
        try:
            with psycopg.connect(server.url(), autocommit=True) as connection:
                wait_until(lambda: connection.execute(_SLEEPERS).fetchone() == (1,), timeout_s=60)
            with _dropped(server.port), pytest.raises(Transient, match="the database does not answer"):
                asking.result(_NOTICED_WITHIN_S)
        finally:
            server.part.kill()  # ends a query that still waits


def _sleep() -> None:
    with reading() as session:
        session.connection().exec_driver_sql("SELECT pg_sleep(1000)")


@contextmanager
def _dropped(port: int) -> Iterator[None]:
    """Drop every packet from and to a port."""
    rules = [["OUTPUT", "-o", "lo", "-p", "tcp", side, str(port), "-j", "DROP"] for side in ("--dport", "--sport")]
    try:
        for rule in rules:
            subprocess.run(["iptables", "-I", *rule], check=True)
        yield
    finally:
        for rule in rules:
            subprocess.run(["iptables", "-D", *rule], check=False)

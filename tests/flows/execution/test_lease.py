"""Only one run at a time works on a process, as long as its lease is renewed."""

import asyncio

import psycopg
import pytest
from psycopg.sql import SQL

from adapters.settings.settings import Settings
from adapters.tables.runs import leases
from flows.execution.lease import release_left, sole_work_on
from tests.conftest import LONGEST_S, Configure
from tests.installations import database_that_is_away


def test_run_stops_when_its_lease_cannot_be_renewed(configure: Configure, postgres_installation: str) -> None:
    """The database refuses a renewal unexpectedly. Without the stop, the run would go on beside the next holder."""
    configure(database_url=postgres_installation)

    async def _work() -> None:
        async with sole_work_on("process-1", "run-1"):
            with psycopg.connect(postgres_installation, autocommit=True) as connection:
                (held_until,) = connection.execute("SELECT expires_at FROM lease").fetchone() or [None]
                connection.execute(SQL("ALTER TABLE lease ADD CHECK (expires_at <= {})").format(held_until))
            async with asyncio.timeout(LONGEST_S):
                await asyncio.Event().wait()

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(_work())


def test_lease_that_could_not_be_released_is_released_after_the_outage(
    configure: Configure, sqlite_installation: Settings
) -> None:
    async def _work() -> None:
        async with sole_work_on("process-1", "run-1"):
            configure(database_url=database_that_is_away())
        configure(database_url=sqlite_installation.database_location)
        assert not leases.take(["process-1"], "run-2", 30)
        await release_left()
        assert leases.take(["process-1"], "run-2", 30)

    asyncio.run(_work())

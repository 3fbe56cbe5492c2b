"""The embedded Prefect server: Prefect's own command, with SQLite's transactions begun as they should be.

Prefect begins most of its transactions deferred. One that reads first and then writes fails at once when another has
written meanwhile, whatever the busy time-out, and Prefect answers 503: under load, the creation of runs above all.
Begun IMMEDIATE it waits for its turn. Nothing in Prefect's settings does that, and on Postgres there is nothing to do.
Prefect is pinned, and `tests/flows/test_engine.py` fails loudly on a release that changes what is used here.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prefect.cli import app
from prefect.server.database.configurations import AioSqliteConfiguration
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction


def begin_immediately() -> None:
    """Let every transaction of Prefect's server on SQLite wait for its turn."""
    begin = AioSqliteConfiguration.begin_transaction

    @asynccontextmanager
    async def immediate(
        configuration: AioSqliteConfiguration, session: AsyncSession, with_for_update: bool = False
    ) -> AsyncIterator[AsyncSessionTransaction]:
        async with begin(configuration, session, with_for_update=True) as transaction:
            yield transaction

    AioSqliteConfiguration.begin_transaction = immediate  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    begin_immediately()
    app()

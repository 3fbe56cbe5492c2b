"""The tests of tables run on Postgres, and on SQLite too where locking or SQL differ: those ask for `installation`."""

from collections.abc import Callable

import pytest

from adapters.settings.settings import Settings


@pytest.fixture(autouse=True)
def _database(request: pytest.FixtureRequest, configure: Callable[..., Settings]) -> None:
    if "installation" not in request.fixturenames:
        configure(database_url=request.getfixturevalue("postgres_installation"))

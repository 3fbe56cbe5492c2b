"""The tests of tables run on Postgres, and on SQLite too where locking or SQL differ: those ask for `installation`."""

import pytest

from tests.conftest import Configure


@pytest.fixture(autouse=True)
def _database(request: pytest.FixtureRequest, configure: Configure) -> None:
    if "installation" not in request.fixturenames:
        configure(database_url=request.getfixturevalue("postgres_installation"))

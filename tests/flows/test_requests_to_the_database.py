"""A run costs few requests to the database: from another zone, each takes two milliseconds."""

import pytest

from benchmarks.database_requests import counted
from tests.conftest import Configure
from tests.flows.test_requests_to_the_bucket import archive

MOST_REQUESTS = 175

pytestmark = pytest.mark.usefixtures("prefect")


def test_run_of_an_archive_costs_no_more_requests_than_these(configure: Configure, postgres_installation: str) -> None:
    with counted(postgres_installation) as database:
        configure(database_url=database.url)
        archive("process-1")  # connects, and makes what an installation makes once

        database.requests = 0
        archive("process-2")

    assert 0 < database.requests <= MOST_REQUESTS

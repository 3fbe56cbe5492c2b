"""A run costs few requests to the database: from another zone, each takes two milliseconds."""

import pytest

from tests.conftest import Configure
from tests.flows.counted_database import counted
from tests.flows.test_requests_to_the_bucket import archive

MOST_REQUESTS = 80

pytestmark = pytest.mark.usefixtures("prefect")


def test_run_of_an_archive_costs_no_more_requests_than_these(configure: Configure, postgres_installation: str) -> None:
    found = list[int]()
    with counted(postgres_installation) as database:
        configure(database_url=database.url)
        for number in range(4):  # the first makes what an installation makes once; a late one pings its connection
            database.requests = 0
            archive(f"process-{number}")
            found.append(database.requests)

    assert 50 < min(found) <= MOST_REQUESTS

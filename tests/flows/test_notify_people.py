"""The flow `notify-people` tells people of what the flows leave behind, and its log shows what was not taken."""

import asyncio
import json
import logging
from datetime import UTC, datetime, timedelta

import pytest
from pytest_httpserver import HTTPServer

from adapters.settings.settings import Settings
from flows.notify_people import notify_people
from flows.process_archive import process_archive
from flows.verify_archives import verify_archives
from services.people.letters import tell
from tests.conftest import Configure
from tests.flows.conftest import received, store_away
from tests.installations import archived, damaged_file
from tests.samples import sample_body

pytestmark = pytest.mark.usefixtures("prefect")


@pytest.fixture(autouse=True)
def _address(configure: Configure, sqlite_installation: Settings, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/chat").respond_with_data("")
    configure(people_urls=httpserver.url_for("/chat").replace("http", "json"))


def told(httpserver: HTTPServer) -> list[str]:
    """Run the flow twice, and return the titles of all letters."""
    for _ in range(2):
        asyncio.run(notify_people())
    return [json.loads(request.data)["title"] for request, _ in httpserver.log]


def check() -> None:
    """Check the whole store."""

    async def _checked() -> None:
        await verify_archives(return_state=True)

    asyncio.run(_checked())


def test_what_flows_leave_behind_is_told_once(configure: Configure, httpserver: HTTPServer) -> None:
    """An archive that fails for good, a damaged store, and a check that breaks off."""
    delivery = received("process-1", sample_body("process-1"))

    async def _run() -> None:
        await process_archive("process-1", delivery.receipt_id, return_state=True)

    configure(run_timeout_s=1e-6)
    asyncio.run(_run())
    archived("process-2", sample_body("process-2"))
    damaged_file("process-2")
    check()
    with store_away():
        check()

    assert told(httpserver) == ["cellar: Damaged"]
    tell(datetime.now(UTC) + timedelta(hours=1))
    assert told(httpserver)[1:] == ["cellar: Failed archives, Store not checked"]


def test_log_shows_a_letter_that_was_not_taken(httpserver: HTTPServer, caplog: pytest.LogCaptureFixture) -> None:
    httpserver.clear()
    httpserver.expect_request("/chat").respond_with_data("", status=500)
    archived("process-1", sample_body("process-1"))
    damaged_file("process-1")
    check()

    told(httpserver)

    (line,) = [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR and "taken" in each.msg]
    said = "has not taken “cellar: Damaged”: the service answered with status 500"
    assert (line.partition(":")[0], line.partition(" ")[2]) == ("json", said)

"""The flow `sweep-inbox` announces refused deliveries, once, and the flow `deliver-messages` tells each endpoint."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook

from adapters.inbox import quarantine
from adapters.inbox.inbox import Intake
from adapters.settings.settings import Settings
from adapters.tables.runs import refused
from domain.archive.found_process import FoundProcess
from flows.deliver_messages import deliver_messages
from flows.sweep_inbox import sweep_inbox
from models.errors import Refused
from models.views.troubles import RefusedQuery
from services.messages.known import known_endpoints
from services.triggering.refused import list_all_refused, release_all
from services.views import troubles
from tests.conftest import Configure
from tests.flows.conftest import due_now
from tests.flows.databases import in_new_database
from tests.messages import SECRET, message_of, notify
from tests.samples import sample_body

pytestmark = pytest.mark.usefixtures("prefect")

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TRUNCATED = Refused("TRUNCATED", "the body ends")
NOT_BASE64 = Refused("NOT_BASE64", "expected base64", where="attachments[0].content")


@pytest.fixture(autouse=True)
def _installation(configure: Configure, installation: Settings, httpserver: HTTPServer) -> None:
    notify(configure, httpserver)


def refuse(body: bytes, reason: Refused, minute: int, named: FoundProcess | None = None) -> str:
    """Put a refused body into quarantine as the receiver does, and return its receipt id."""
    intake = Intake()
    intake.digest(body)
    intake.write([body])
    return intake.quarantine(reason, NOON + timedelta(minutes=minute), named or FoundProcess()).receipt_id


def sweep() -> None:
    asyncio.run(sweep_inbox())


def sweep_and_deliver() -> None:
    """Run both flows as their schedules do, when the time of the next attempts has come."""
    sweep()
    due_now()
    for each in known_endpoints():
        asyncio.run(deliver_messages(each.name))


def sent(httpserver: HTTPServer, path: str = "/hook") -> list[tuple[str, dict[str, Any]]]:
    """Return the message id and the content of each request to an endpoint, after verifying its signature."""
    requests = [request for request, _ in httpserver.log if request.path == path]
    for request in requests:
        Webhook(SECRET).verify(request.data, dict(request.headers.items()))
    return [(request.headers["webhook-id"], message_of(request.data)) for request in requests]


def test_flood_is_one_message_and_is_reported_once(httpserver: HTTPServer) -> None:
    for number in range(60):
        refuse(b"<%d/>" % (number % 30), TRUNCATED, number)
    last = refuse(b"{", NOT_BASE64, 60, FoundProcess("r-1", 4711))

    sweep_and_deliver()
    sweep_and_deliver()

    ((_, message),) = sent(httpserver)
    assert message["type"] == "delivery.refused"
    data = message["data"]
    assert (data["deliveries_in_all"], data["by_code"]) == (61, {"NOT_BASE64": 1, "TRUNCATED": 60})
    assert (data["first_at"], data["last_at"]) == ("2026-01-01T12:00:00+00:00", "2026-01-01T13:00:00+00:00")
    assert data["url"].endswith("/api/refused")
    assert len({each["receipt_id"] for each in data["deliveries"]}) == len(data["deliveries"]) == 20
    assert data["deliveries"][0] == {
        "receipt_id": last,
        "reference": "r-1",
        "process_number": 4711,
        "code": "NOT_BASE64",
        "where": "attachments[0].content",
        "detail": "expected base64",
        "received_at": "2026-01-01T13:00:00+00:00",
        "source": "default",
    }

    refuse(b"{", TRUNCATED, 61)
    sweep_and_deliver()

    assert [message["data"]["deliveries_in_all"] for _, message in sent(httpserver)] == [61, 1]


def test_message_of_a_process_that_was_killed_before_announcing_is_sent(
    configure: Configure, httpserver: HTTPServer
) -> None:
    """The group is made, and a delivery is refused before the next sweep: two messages, none lost."""
    refuse(b"{", TRUNCATED, 0)
    asyncio.run(list_all_refused())
    refused.put_into_group("grouped", datetime.now(UTC))
    refuse(b"[", TRUNCATED, 1)

    sweep_and_deliver()
    sweep_and_deliver()

    assert [message["data"]["deliveries_in_all"] for _, message in sent(httpserver)] == [1, 1]


def test_without_endpoints_deliveries_wait_for_the_first_endpoint(configure: Configure, httpserver: HTTPServer) -> None:
    configure(notify_urls="")
    refuse(b"{", TRUNCATED, 0)
    sweep()

    configure(notify_urls=httpserver.url_for("/hook"))
    sweep_and_deliver()

    assert len(sent(httpserver)) == 1


def test_release_is_in_the_history_and_in_a_rebuilt_database(configure: Configure) -> None:
    sound = refuse(sample_body("r-1"), NOT_BASE64, 0, FoundProcess("r-1", 100))
    refuse(b"{", TRUNCATED, 1)
    sweep()
    bodies = {each.receipt_id: [each] for each in quarantine.refused()}
    assert [each.fault is None for each in release_all(bodies)] == [False, True]
    sweep()
    before = troubles.refused_page(RefusedQuery()).items
    assert [(each.receipt_id == sound, each.released_at is not None) for each in before] == [
        (False, False),
        (True, True),
    ]

    in_new_database(configure)

    assert troubles.refused_page(RefusedQuery()).items == before

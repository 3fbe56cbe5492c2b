"""`cellar endpoints messages`, with messages that a real endpoint has refused."""

import asyncio
import json
from datetime import UTC, datetime

import pytest
from pytest_httpserver import HTTPServer

from adapters.settings.settings import Settings
from adapters.tables.messages import notifications
from models.messages.notification import Event, EventType
from models.views.messages import NewEndpoint
from services.messages import endpoints
from services.messages.attempts import send
from services.messages.events import announce
from tests.cli.conftest import Cellar
from tests.conftest import Configure


@pytest.fixture
def message_id(sqlite_installation: Settings, configure: Configure, httpserver: HTTPServer, cellar: Cellar) -> str:
    """A message that its endpoint has refused twice."""
    configure(notify_allow_private="true")
    httpserver.expect_request("/h3xT0ken9").respond_with_data("out of order", status=500)
    now = datetime.now(UTC)
    endpoints.add(NewEndpoint(url=httpserver.url_for("/h3xT0ken9"), name="erp"), "dana@desk", now)
    announce(Event(EventType.STORE_DAMAGED, "found-1", now, b'{"type":"store.damaged"}'))
    (message,) = notifications.of_receipt("found-1")
    for _ in range(2):
        asyncio.run(send(message.message_id))
    return message.message_id


def test_messages_are_listed_by_filter(cellar: Cellar, message_id: str) -> None:
    shown = cellar("endpoints", "messages", "erp", "--state", "pending", "--event", "store.damaged")
    none = cellar("endpoints", "messages", "--state", "dead")

    assert (shown.status, message_id in shown.output, "store.damaged" in shown.output) == (0, True, True)
    assert (none.status, none.output.strip()) == (0, "No message matches.")
    (listed,) = json.loads(cellar("endpoints", "messages", "--json").output)["items"]
    assert (listed["message_id"], listed["attempts"], listed["endpoint"]) == (message_id, 2, "erp")


def test_message_is_shown_with_its_attempts(cellar: Cellar, message_id: str) -> None:
    shown = cellar("endpoints", "messages", "--id", message_id)
    record = json.loads(cellar("endpoints", "messages", "--id", message_id, "--json").output)

    assert (shown.status, "the endpoint answered 500" in shown.output) == (0, True)
    assert [(each["number"], each["status_code"], each["stage"]) for each in record["history"]] == [
        (1, 500, "status"),
        (2, 500, "status"),
    ]
    assert [each["answer"] for each in record["history"]] == ["out of order", None]
    assert "h3xT0ken9" not in shown.output + json.dumps(record)


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (("--state", "lost"), 2, "--state: expected pending, delivered, dead or skipped"),
        (("--event", "archive.complete"), 2, "did you mean archive.completed?"),
        (("--since", "soon"), 2, "expected a time like"),
        (("unknown",), 2, "no endpoint has this name; known are none"),
        (("--source", "nosuch"), 2, "--source: no source has this name; known are default"),
        (("--id", "unknown"), 1, "UNKNOWN_MESSAGE"),
    ],
)
@pytest.mark.usefixtures("sqlite_installation")
def test_wrong_filters_and_unknown_names_are_refused(
    cellar: Cellar, arguments: tuple[str, ...], status: int, told: str
) -> None:
    ended = cellar("endpoints", "messages", *arguments)

    assert ended.status == status
    assert told in " ".join(ended.errors.replace("│", " ").split())

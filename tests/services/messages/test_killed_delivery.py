"""A delivery that is killed loses no message: those that it had claimed are due again, under the same ids."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pytest_httpserver import HTTPServer
from sqlmodel import select, update
from werkzeug import Request, Response

from adapters.tables.messages import queues
from models.messages.notification import Event, EventType, NotificationRow, NotificationState
from services.messages.deliveries import deliver_due
from services.messages.events import announce
from services.messages.known import known_endpoints
from tests.conftest import LONGEST_S, Configure, wait_until
from tests.killed import begun
from tests.messages import SECRET
from tests.records import all_of, change

MESSAGES, AT_ONCE = 12, 4


@pytest.fixture
def threaded() -> Iterator[HTTPServer]:
    """A server that answers several requests at a time."""
    server = HTTPServer(threaded=True)
    server.start()
    yield server
    server.stop()


def deliver(endpoint: str) -> None:
    asyncio.run(deliver_due(endpoint))


@pytest.mark.usefixtures("installation")
def test_messages_of_a_killed_delivery_are_due_again_and_each_is_delivered(
    configure: Configure, threaded: HTTPServer
) -> None:
    asked: list[str] = []
    may_answer = threading.Event()

    def answer(request: Request) -> Response:
        asked.append(request.headers["webhook-id"])
        may_answer.wait(LONGEST_S)
        return Response()

    threaded.expect_request("/hook").respond_with_handler(answer)
    configure(notify_urls=threaded.url_for("/hook"), notify_secret=SECRET, notify_allow_private="true")
    now = datetime.now(UTC)
    for number in range(MESSAGES):
        announce(Event(EventType.STORE_DAMAGED, f"found-{number}", now, b'{"type":"store.damaged"}'))
    (endpoint,) = known_endpoints()
    process = begun(deliver, endpoint.name)
    wait_until(lambda: len(asked) == AT_ONCE or not process.is_alive())
    assert process.is_alive()
    assert queues.endpoints_with_due(datetime.now(UTC)) == []  # all are claimed
    process.kill()
    process.join()
    may_answer.set()
    assert queues.endpoints_with_due(datetime.now(UTC) + timedelta(minutes=3)) == [endpoint.name]
    change(update(NotificationRow).values(claimed_until=now))  # let three minutes pass

    deliver(endpoint.name)

    messages = all_of(select(NotificationRow))
    assert Counter(each.state for each in messages) == {NotificationState.DELIVERED: MESSAGES}
    assert set(asked) == {each.message_id for each in messages}
    assert sorted(Counter(asked).values()) == [1] * (MESSAGES - AT_ONCE) + [2] * AT_ONCE

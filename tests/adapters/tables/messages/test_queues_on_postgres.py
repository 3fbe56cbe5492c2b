"""Transactions about one endpoint do not wait for each other in a circle. SQLite has one writer at a time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from adapters.database.transactions import writing
from adapters.settings.settings import Settings
from adapters.tables.messages import attempts, endpoints, notifications, queues
from adapters.tables.messages.attempts import Made
from models.messages.endpoint import EndpointRow
from models.messages.event import Event, EventType
from models.messages.notification import NotificationRow, NotificationState
from services.messages.events import event_row, message_to
from tests.conftest import LONGEST_S
from tests.records import NOON


@pytest.fixture(autouse=True)
def _endpoint(configure: Callable[..., Settings], postgres_installation: str) -> None:
    configure(database_url=postgres_installation)
    with writing() as session:
        row = EndpointRow(
            name="erp", url="https://erp.example", created_at=NOON, failing_since=NOON, failing_messages=2
        )
        session.add(row)


def announced(subject: str) -> str:
    event = Event(EventType.STORE_DAMAGED, subject, NOON, b"{}")
    message = message_to(endpoints.get("erp"), event)
    notifications.plan(event_row(event), [message])
    return message.message_id


@pytest.mark.parametrize("status_code", [200, 410])
def test_attempt_is_recorded_while_another_attempt_waits_for_the_endpoint(status_code: int) -> None:
    first, other = announced("event-1"), announced("event-2")
    with writing() as session:
        session.get_one(NotificationRow, other).next_attempt_at = NOON.replace(year=2030)
    (taken,) = queues.take_due("erp", NOON, 1)
    assert taken.message.message_id == first

    with ThreadPoolExecutor() as threads, writing() as session:
        session.get_one(NotificationRow, other, with_for_update=True)
        recorded = threads.submit(attempts.record, taken, Made(NOON, NOON, status_code))
        try:
            recorded.result(timeout=LONGEST_S)  # else Postgres ends one of the two, and its attempt is not recorded
        finally:
            session.rollback()

    assert notifications.get(first).state in (NotificationState.DELIVERED, NotificationState.DEAD)

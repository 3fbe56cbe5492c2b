"""Lists of messages on both databases: filters, order and pages; a message with its attempts."""

from datetime import timedelta
from typing import Any

import pytest

from adapters.database.transactions import writing
from models.errors import Refused
from models.messages.notification import AttemptTrigger, EventRow, NotificationAttemptRow, NotificationRow, Stage
from models.views.messages import MessageQuery
from services.views import message_list
from tests.records import NOON


def put(number: int, *, source: str | None = "default", template: str | None = None, **members: Any) -> str:
    """Put a message about an event of its own into the tables, and return its id."""
    event_id, at = f"evt_{number}", NOON + timedelta(minutes=number)
    event: dict[str, Any] = {"type": "archive.completed", "reference": f"process-{number}"} | {
        key: value for key, value in members.items() if key == "reference"
    }
    message = {"endpoint": "https://erp.example/hook", "endpoint_name": "erp", "event": event["type"]}
    message |= {"reference": event["reference"], "state": "pending", "planned_at": at}
    with writing() as session:
        row = EventRow(
            **event, event_id=event_id, receipt_id="r", at=at, body="{}", source=source, template_id=template
        )
        session.add(row)
        ids = {"message_id": f"msg_{number}", "event_id": event_id, "receipt_id": "r"}
        session.add(NotificationRow(**(message | ids | members)))
    return f"msg_{number}"


def found(**query: Any) -> list[str]:
    return [each.message_id for each in message_list.page(MessageQuery(**query)).items]


@pytest.mark.usefixtures("installation")
def test_messages_are_filtered_and_listed_newest_first() -> None:
    put(1, state="dead", skipped_why="the endpoint answered 410 Gone")
    put(2, endpoint_name="crm", state="skipped")
    put(3, event="store.damaged", reference="", source=None)
    put(4, source="retail", template="lease")

    assert found() == ["msg_4", "msg_3", "msg_2", "msg_1"]
    assert found(endpoint="erp") == ["msg_4", "msg_3", "msg_1"]
    assert found(state=["dead", "skipped"]) == ["msg_2", "msg_1"]
    assert found(event="store.damaged") == ["msg_3"]
    assert found(reference="process-2") == ["msg_2"]
    assert found(source="retail") == ["msg_4"]
    assert found(template="lease", state=["dead"]) == []
    assert found(since=NOON + timedelta(minutes=2), until=NOON + timedelta(minutes=4)) == ["msg_3", "msg_2"]


@pytest.mark.usefixtures("installation")
def test_pages_of_messages_follow_each_other() -> None:
    for number in range(5):
        put(number, planned_at=NOON)

    first = message_list.page(MessageQuery(limit=3))
    second = message_list.page(MessageQuery(limit=3, cursor=first.next))

    assert [each.message_id for each in (*first.items, *second.items)] == [
        f"msg_{number}" for number in range(4, -1, -1)
    ]
    assert second.next is None


@pytest.mark.usefixtures("installation")
def test_message_is_shown_with_its_attempts_and_without_the_tokens_of_urls() -> None:
    message_id = put(1, attempts=2)
    with writing() as session:
        for number in (2, 1):
            attempt = NotificationAttemptRow(message_id=message_id, attempt=number, attempted_at=NOON)
            attempt.url, attempt.stage, attempt.error = "https://erp.example/hook/h3xT0ken9?key=abc", Stage.STATUS, "no"
            attempt.trigger, attempt.by = AttemptTrigger.MANUAL, "dana@desk"
            session.add(attempt)

    record = message_list.record(message_id)

    assert (record.endpoint, record.source, record.attempts) == ("erp", "default", 2)
    assert [(each.number, each.trigger, each.by) for each in record.history] == [
        (1, "manual", "dana@desk"),
        (2, "manual", "dana@desk"),
    ]
    assert not {"h3xT0ken9", "abc"} & set(record.model_dump_json().replace("/", '"').replace("=", '"').split('"'))
    with pytest.raises(Refused, match="UNKNOWN_MESSAGE"):
        message_list.record("msg_unknown")

"""Personal values go to the endpoint that asks for them, and to no other."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlmodel import select

from adapters.database.transactions import reading
from adapters.tables.messages import endpoints as rows
from adapters.tables.messages import notifications
from models.messages.event import EventRow, EventType
from models.views.messages.endpoints import NewEndpoint
from services.messages.attempts.asked_fields import body_to
from services.messages.endpoints import endpoints
from tests.installations import archived
from tests.samples import sample_body

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("sqlite_installation")


def added(name: str, *fields: str) -> None:
    asked = NewEndpoint(url="https://erp.example/hook", name=name, fields=list(fields))
    endpoints.add(asked, "dana@desk", NOW)


def event_of(reference: str, **members: Any) -> EventRow:
    """Archive the sample, and return the event of its completion."""
    receipt_id = archived(reference, sample_body(reference, **members))
    its = EventRow.receipt_id == receipt_id, EventRow.type == EventType.ARCHIVE_COMPLETED
    with reading() as session:
        return session.exec(select(EventRow).where(*its)).one()


def data_to(name: str, event: EventRow) -> Any:
    return json.loads(sent_to(name, event))["data"]


def sent_to(name: str, event: EventRow) -> bytes:
    message = next(each for each in notifications.of_receipt(event.receipt_id) if each.endpoint_name == name)
    message.event = event.type
    return body_to(rows.get(name), message, event.body.encode())


def test_only_the_asked_values_go_and_only_to_the_endpoint_that_asks() -> None:
    added("erp", "SOMEFIELD3", "label:CUSTOMER_TAG", "UNKNOWN")
    added("crm")

    event = event_of("process-1")

    asked = {"SOMEFIELD3": "SOMEVALUE3", "label:CUSTOMER_TAG": "CUSTOMER_VALUE", "UNKNOWN": None}
    assert data_to("erp", event)["fields"] == asked
    assert sent_to("crm", event) == event.body.encode()
    for personal in ("SOMEVALUE", "CUSTOMER_VALUE", "client@example.com", "john@example.com", "Best browser"):
        assert personal not in event.body
    told = sent_to("erp", event).decode()
    assert [each for each in ("SOMEVALUE1", "SOMEVALUE2", "client@example.com", "Best browser") if each in told] == []


def test_values_are_kept_in_no_message_and_no_event() -> None:
    added("erp", "SOMEFIELD3")
    event = event_of("process-1")
    sent_to("erp", event)

    kept = [each.model_dump_json() for each in notifications.of_receipt(event.receipt_id)]
    assert "SOMEVALUE3" not in "".join([*kept, event.model_dump_json()])


def test_event_that_is_not_about_an_archive_carries_no_values() -> None:
    added("erp", "SOMEFIELD3")
    event = event_of("process-1")
    event.type = EventType.PROCESS_MISSING

    assert sent_to("erp", event) == event.body.encode()


def test_values_that_do_not_fit_into_20_kb_are_left_out() -> None:
    added("erp", "LONG", "SHORT")
    fields = [{"id": "LONG", "value": "x" * 20_000}, {"id": "SHORT", "value": "y"}]

    body = sent_to("erp", event_of("process-1", data=fields))

    assert json.loads(body)["data"]["fields"] == {"SHORT": "y"}
    assert len(body) <= 20_000


def test_of_several_fields_with_one_id_the_first_counts() -> None:
    added("erp", "TWICE")
    fields = [{"id": "TWICE", "value": "first"}, {"id": "TWICE", "value": "second"}]

    assert data_to("erp", event_of("process-1", data=fields))["fields"] == {"TWICE": "first"}

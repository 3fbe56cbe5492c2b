"""Refused deliveries in the database: each once, with its release, and grouped for messages."""

from dataclasses import replace
from datetime import timedelta

from sqlmodel import select

from adapters.tables.messages import notifications
from adapters.tables.open_conditions import open_numbers
from adapters.tables.runs import refused
from models.messages.notification import NotificationRow
from models.runs.receipt import RefusedDelivery, RefusedRow
from models.store.condition import DerivedCode
from models.views.troubles import RefusedQuery
from services.messages.events import delivery_refused, event_row
from services.views import troubles
from tests.records import NOON, all_of, digest, registered


def delivery(number: int, *, body: str = "", code: str = "NOT_JSON", reference: str | None = None) -> RefusedDelivery:
    at = NOON + timedelta(minutes=number)
    return RefusedDelivery(
        f"{at:%Y%m%dT%H%M%S}-{number:04}", digest(body or str(number)), at, 10, code, "", "no JSON", reference, number
    )


def message(group: str) -> NotificationRow:
    return NotificationRow(
        message_id=f"msg_{group}", reference="", receipt_id=group, endpoint="https://e.example",
        event="delivery.refused", state="pending", planned_at=NOON,
    )  # fmt: skip


def announced(group: str) -> None:
    """Group the deliveries that are in no group, and plan a message about each group that has none."""
    refused.put_into_group(group, NOON)
    for each, at in refused.groups_without_event(NOON - timedelta(days=1)):
        notifications.plan(event_row(delivery_refused(each, at)), [message(each)])


def test_repeated_record_changes_nothing_but_a_release() -> None:
    first, second = delivery(1), delivery(2)
    refused.record([first, second])

    refused.record([replace(first, released_at=NOON)])
    refused.record([first, second])

    assert [each.released_at for each in troubles.refused_page(RefusedQuery()).items] == [None, NOON]


def test_newest_delivery_of_a_process_is_found() -> None:
    refused.record([delivery(2, reference="r"), delivery(1, reference="r"), delivery(3, reference="another")])

    assert refused.newest_of("r") == delivery(2, reference="r")
    assert refused.newest_of("nobody's") is None


def test_group_takes_each_unreported_delivery_once() -> None:
    released = replace(delivery(3), released_at=NOON)
    refused.record([delivery(1, code="TRUNCATED"), delivery(2), released])
    announced("first")
    refused.record([delivery(4)])
    announced("second")
    announced("empty")

    assert {each.message for each in all_of(select(RefusedRow))} == {"first", "second", None}
    group = refused.group("first", 20)
    assert (group.by_code, group.first_at) == ({"NOT_JSON": 1, "TRUNCATED": 1}, delivery(1).received_at)
    assert group.newest == [delivery(2), delivery(1, code="TRUNCATED")]


def test_group_of_a_flood_names_few_bodies_each_once_and_counts_all() -> None:
    flood = [delivery(number, body=f"body {number % 30}") for number in range(100)]
    refused.record(flood)
    announced("flood")

    group = refused.group("flood", 20)

    assert group.newest == flood[:-21:-1]
    assert len({each.receipt_id for each in group.newest}) == 20
    assert group.by_code == {"NOT_JSON": 100}


def test_open_bodies_are_those_that_nobody_released_or_dismissed_and_whose_process_was_not_accepted_since() -> None:
    registered("sent again", minute=20)
    refused.record([delivery(1), delivery(2, reference="sent again"), delivery(3), delivery(4, reference="waits")])
    refused.record([replace(delivery(1), released_at=NOON)])
    refused.record([replace(delivery(3), dismissed_at=NOON, dismissed_by="Dana", dismissed_why="a scanner")])
    refused.record([delivery(3)])  # as a sweep that was broken off does

    assert open_numbers(DerivedCode.DELIVERY_REFUSED) == {"NOT_JSON": 1}
    [kept] = refused.of_bodies([delivery(3).receipt_id])
    assert (kept.dismissed_by, kept.dismissed_why) == ("Dana", "a scanner")

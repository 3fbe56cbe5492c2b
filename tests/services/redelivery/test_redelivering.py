"""Redelivery on both databases, to a real endpoint that recovers."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from sqlmodel import col, select, update
from werkzeug import Request, Response

from adapters.database.transactions import reading, writing
from adapters.settings.settings import Settings
from adapters.tables.messages import notifications, queues, redeliveries
from models.errors import Refused
from models.messages.endpoint import EndpointRow
from models.messages.event import Event, EventType
from models.messages.notification import AttemptTrigger, NotificationRow, NotificationState
from models.views.messages.endpoints import NewEndpoint
from models.views.messages.messages import MessageFilter, MessageQuery
from models.views.messages.redeliveries import RedeliveryView
from models.views.parameters import PageQuery
from services.messages import endpoints
from services.messages.attempts import send
from services.messages.deliveries import deliver_due, give_up_expired
from services.messages.events import announce
from services.redelivery import confirming, planning, records
from services.views import message_list

HOUR_AGO = datetime.now(UTC) - timedelta(hours=1)
STORE = EventType.STORE_DAMAGED


class Peer:
    """Endpoints that answer with a status, and remember what they have received."""

    def __init__(self, server: HTTPServer) -> None:
        self.status = 500
        self.received: list[str] = []
        self.server = server
        server.expect_request("/erp").respond_with_handler(self._answer)
        server.expect_request("/crm").respond_with_handler(self._answer)

    def _answer(self, request: Request) -> Response:
        self.received.append(request.headers["webhook-id"])
        return Response(status=self.status)

    def add(self, name: str, **members: Any) -> None:
        endpoints.add(NewEndpoint(url=self.server.url_for(f"/{name}"), name=name, **members), "dana@desk", HOUR_AGO)


@pytest.fixture
def peer(installation: Settings, configure: Callable[..., Settings], httpserver: HTTPServer) -> Peer:
    configure(database_url=installation.database_location, notify_allow_private="true")
    return Peer(httpserver)


def happened(number: int, kind: EventType = STORE) -> None:
    at = HOUR_AGO + timedelta(seconds=number)
    announce(Event(kind, f"found-{number}", at, f'{{"type":"{kind}"}}'.encode()))


def all_dead() -> None:
    """Let 76 hours go by, in which nothing is confirmed."""
    asyncio.run(give_up_expired(HOUR_AGO + timedelta(hours=77)))


def message_of(number: int) -> NotificationRow:
    return notifications.of_receipt(f"found-{number}")[0]


def states() -> dict[str, str]:
    return {each.message_id: each.state for each in message_list.page(MessageQuery()).items}


def redelivered(chosen: MessageFilter | None = None, **options: Any) -> RedeliveryView:
    row = planning.plan(chosen or MessageFilter(), "dana@desk", **options)
    confirming.confirm(row.id, "ann@desk")
    return records.view(row.id)


def deliver(name: str = "erp") -> None:
    asyncio.run(deliver_due(name))


def test_dead_messages_arrive_with_their_ids_once_a_person_redelivers_them(peer: Peer) -> None:
    peer.add("erp")
    for number in range(3):
        happened(number)
    deliver()
    all_dead()
    ids = [message_of(number).message_id for number in range(3)]
    before = {message_of(number).expires_at for number in range(3)}
    peer.status, peer.received[:] = 204, []

    found = redelivered()
    expiring = {message_of(number).expires_at for number in range(3)}
    deliver()

    assert (found.state, found.planned, found.pending, found.confirmed_by) == ("running", 3, 3, "ann@desk")
    assert not before & expiring
    assert min(each for each in expiring if each) > datetime.now(UTC) + timedelta(hours=74)
    assert sorted(peer.received) == sorted(ids)
    assert set(states().values()) == {"delivered"}
    done = records.view(found.id)
    assert (done.state, done.delivered, done.pending) == ("done", 3, 0)
    last = [message_list.record(each).history[-1] for each in ids]
    assert {(each.trigger, each.by, each.status_code) for each in last} == {("manual", "ann@desk", 204)}


def test_plan_counts_by_endpoint_state_and_event_and_says_what_is_left_out(peer: Peer) -> None:
    peer.add("erp", rate_per_s=0.5)
    peer.add("crm", events=[STORE])
    happened(1)
    happened(2, EventType.STORE_UNVERIFIED)
    all_dead()
    endpoints.disable("crm", "dana@desk", HOUR_AGO)

    plan = records.view(planning.plan(MessageFilter(), "dana@desk").id).plan

    assert (plan.messages, plan.states) == (2, {"dead": 2})
    assert plan.events == {"store.damaged": 1, "store.unverified": 1}
    assert [(each.endpoint, each.messages, each.failing, each.seconds) for each in plan.endpoints] == [
        ("erp", 2, False, 4)
    ]
    assert (plan.left_out, plan.filtered, plan.seconds) == ({"crm": 1}, 1, 4)
    assert peer.received == []


def test_messages_to_a_disabled_endpoint_and_those_that_its_filter_leaves_out_stay_as_they_are(peer: Peer) -> None:
    peer.add("erp", events=[STORE])
    peer.add("crm")
    happened(1)
    happened(2, EventType.STORE_UNVERIFIED)
    all_dead()
    endpoints.disable("crm", "dana@desk", HOUR_AGO)

    found = redelivered()

    assert found.planned == 1
    assert sorted(states().values()) == ["dead", "dead", "pending", "skipped"]


def test_messages_skipped_by_the_disabling_are_redelivered_once_the_endpoint_is_enabled(peer: Peer) -> None:
    peer.add("erp")
    happened(1)
    endpoints.disable("erp", "dana@desk", HOUR_AGO)
    endpoints.enable("erp", "dana@desk", HOUR_AGO)
    peer.status = 204

    redelivered(MessageFilter(state=[NotificationState.SKIPPED]))
    deliver()

    assert (message_of(1).state, message_of(1).skipped_why) == ("delivered", None)


def test_messages_that_come_after_the_plan_are_not_in_the_list(peer: Peer) -> None:
    peer.add("erp")
    happened(1)
    row = planning.plan(MessageFilter(state=[NotificationState.PENDING]), "dana@desk")
    announce(Event(STORE, "later", datetime.now(UTC) + timedelta(seconds=1), b"{}"))

    confirming.confirm(row.id, "dana@desk")

    assert records.view(row.id).planned == 1
    assert notifications.of_receipt("later")[0].next_trigger is None


def test_confirmed_messages_are_sent_once_more_by_force_alone(peer: Peer) -> None:
    peer.add("erp")
    peer.status = 204
    happened(1)
    deliver()

    with pytest.raises(Refused, match="only by force"):
        planning.plan(MessageFilter(state=[NotificationState.DELIVERED]), "dana@desk")
    assert redelivered().planned == 0
    redelivered(MessageFilter(state=[NotificationState.DELIVERED]), force=True)
    deliver()

    assert peer.received == [message_of(1).message_id] * 2
    triggers = [each.trigger for each in message_list.record(message_of(1).message_id).history]
    assert triggers == [AttemptTrigger.AUTOMATIC, AttemptTrigger.FORCED]


def test_plan_is_confirmed_once(peer: Peer) -> None:
    peer.add("erp")
    row = planning.plan(MessageFilter(), "dana@desk")
    confirming.confirm(row.id, "dana@desk")

    with pytest.raises(Refused, match="was confirmed before"):
        confirming.confirm(row.id, "dana@desk")
    with pytest.raises(Refused, match="UNKNOWN_REDELIVERY"):
        confirming.confirm("unknown", "dana@desk")


def test_redelivered_message_that_fails_again_begins_its_schedule_anew(peer: Peer) -> None:
    peer.add("erp")
    happened(1)
    with writing() as session:
        session.execute(update(NotificationRow).values(attempts=50, state=NotificationState.DEAD))

    redelivered()
    deliver()
    after = message_of(1)
    asyncio.run(send(after.message_id))

    assert (after.state, after.attempts, after.next_trigger) == ("pending", 51, None)
    assert after.next_attempt_at
    assert after.next_attempt_at < datetime.now(UTC) + timedelta(seconds=12)
    triggers = [each.trigger for each in message_list.record(after.message_id).history]
    assert triggers == [AttemptTrigger.MANUAL, AttemptTrigger.AUTOMATIC]


def test_failing_endpoint_is_tried_at_once_when_a_person_redelivers(peer: Peer) -> None:
    peer.add("erp")
    happened(1)
    with writing() as session:
        failing = {"failing_since": HOUR_AGO, "failing_messages": 9, "paused_until": HOUR_AGO + timedelta(hours=3)}
        session.execute(update(EndpointRow).values(**failing))
    peer.status = 204
    deliver()
    assert peer.received == []

    redelivered(MessageFilter(state=[NotificationState.PENDING]))
    deliver()

    assert peer.received == [message_of(1).message_id]


def test_new_messages_go_before_redelivered_ones(peer: Peer) -> None:
    peer.add("erp")
    happened(1)
    all_dead()
    redelivered()
    happened(9)

    taken = [queues.take_due("erp", datetime.now(UTC), limit=1)[0].message.message_id for _ in range(2)]

    assert taken == [message_of(9).message_id, message_of(1).message_id]


def test_interrupted_confirmation_is_completed_and_nothing_is_sent_twice(peer: Peer) -> None:
    peer.add("erp")
    peer.status = 204
    for number in range(3):
        happened(number)
    all_dead()
    row = planning.plan(MessageFilter(), "dana@desk")
    redeliveries.freeze(row.id, planning.conditions_to_freeze(row), "dana@desk", datetime.now(UTC))
    with writing() as session:  # a Retry of its run delivers one meanwhile
        retried = col(NotificationRow.message_id) == message_of(0).message_id
        session.execute(update(NotificationRow).where(retried).values(state=NotificationState.DELIVERED))

    assert records.view(row.id).pending == 3
    for _ in range(2):
        confirming.complete_confirmed()
        deliver()

    assert sorted(peer.received) == sorted(message_of(number).message_id for number in (1, 2))
    assert redeliveries.unfinished() == []
    assert records.view(row.id).delivered == 3


@pytest.mark.parametrize("installation", ["postgres"], indirect=True)
def test_message_that_is_being_sent_does_not_hold_up_the_list(peer: Peer) -> None:
    """To wait for the row could be a deadlock. Only Postgres locks rows; SQLite has one writer at a time."""
    peer.add("erp")
    for number in range(3):
        happened(number)
    all_dead()
    row = planning.plan(MessageFilter(), "dana@desk")
    redeliveries.freeze(row.id, planning.conditions_to_freeze(row), "dana@desk", datetime.now(UTC))

    with writing() as session:
        session.get_one(NotificationRow, message_of(1).message_id, with_for_update=True)
        assert redeliveries.make_page_due(row.id, datetime.now(UTC)) == 2
    assert redeliveries.make_page_due(row.id, datetime.now(UTC)) == 1
    with reading() as session:
        assert set(session.exec(select(NotificationRow.state))) == {"pending"}


def test_redeliveries_are_listed_newest_first(peer: Peer) -> None:
    peer.add("erp")
    ids = [planning.plan(MessageFilter(), by).id for by in ("dana@desk", "ann@desk")]

    first = records.page(PageQuery(limit=1))
    second = records.page(PageQuery(limit=1, cursor=first.next))

    assert [each.id for each in (*first.items, *second.items)] == ids[::-1]
    assert [each.by for each in first.items] == ["ann@desk"]

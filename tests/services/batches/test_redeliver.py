"""Redelivery on both databases, to a real endpoint that recovers."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from sqlmodel import col, select, update
from werkzeug import Request, Response

from adapters.database.transactions import insert_rows, writing
from adapters.settings.settings import Settings
from adapters.tables.batches import batches as rows
from adapters.tables.batches import redeliveries
from adapters.tables.messages import notifications, queues
from models.errors import Refused
from models.messages.notification import (
    AttemptTrigger,
    EndpointRow,
    Event,
    EventType,
    NotificationRow,
    NotificationState,
)
from models.runs.batch import BatchAction, BatchKind, BatchRow
from models.views.batch import BatchView, ItemQuery, RedeliveryFilter, RedeliveryPlan
from models.views.messages import MessageQuery, NewEndpoint
from services.batches import batches
from services.messages import endpoints
from services.messages.attempts import send
from services.messages.deliveries import deliver_due, give_up_expired
from services.messages.events import announce
from services.views import message_list
from tests.batches import driven, driven_until_killed
from tests.conftest import Configure
from tests.records import all_of, change

NOW = datetime.now(UTC)
HOUR_AGO = NOW - timedelta(hours=1)
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
def peer(installation: Settings, configure: Configure, httpserver: HTTPServer) -> Peer:
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


def planned(chosen: RedeliveryFilter | None = None) -> BatchRow:
    return batches.plan(BatchKind.REDELIVER, chosen or RedeliveryFilter(), "dana@desk")


def redelivered(chosen: RedeliveryFilter | None = None) -> BatchView:
    row = planned(chosen)
    batches.freeze(row.id, "ann@desk")
    return driven(row.id)


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

    assert (found.state, found.planned, found.started, found.actions[-1].by) == ("running", 3, 3, "ann@desk")
    assert not before & expiring
    assert min(each for each in expiring if each) > datetime.now(UTC) + timedelta(hours=74)
    assert sorted(peer.received) == sorted(ids)
    assert set(states().values()) == {"delivered"}
    done = driven(found.id)
    assert (done.state, done.completed, done.started) == ("done", 3, 0)
    last = [message_list.record(each).history[-1] for each in ids]
    assert {(each.trigger, each.by, each.status_code) for each in last} == {("manual", "ann@desk", 204)}


def test_plan_says_what_is_sent_and_what_is_left_out_and_no_other_message_becomes_due(peer: Peer) -> None:
    peer.add("erp")
    peer.add("crm", events=[STORE])
    happened(1)
    happened(2, EventType.STORE_UNVERIFIED)
    all_dead()
    endpoints.disable("crm", "dana@desk", HOUR_AGO)

    row = planned()
    plan = batches.view(row.id).plan
    assert isinstance(plan, RedeliveryPlan)
    assert (plan.messages, plan.states) == (2, {"dead": 2})
    assert plan.events == {"store.damaged": 1, "store.unverified": 1}
    assert [(each.endpoint, each.messages, each.failing) for each in plan.endpoints] == [("erp", 2, False)]
    assert (plan.left_out, plan.filtered) == ({"crm": 1}, 1)

    batches.freeze(row.id, "dana@desk")
    assert driven(row.id).planned == 2
    assert sorted(states().values()) == ["dead", "pending", "pending", "skipped"]
    assert peer.received == []


def test_messages_skipped_by_the_disabling_are_redelivered_and_what_came_after_the_plan_is_not(peer: Peer) -> None:
    peer.add("erp")
    happened(1)
    endpoints.disable("erp", "dana@desk", HOUR_AGO)
    endpoints.enable("erp", "dana@desk", HOUR_AGO)
    row = planned(RedeliveryFilter(state=[NotificationState.SKIPPED, NotificationState.PENDING]))
    announce(Event(STORE, "later", datetime.now(UTC) + timedelta(seconds=1), b"{}"))
    peer.status = 204

    batches.freeze(row.id, "dana@desk")
    assert driven(row.id).planned == 1
    assert notifications.of_receipt("later")[0].next_trigger is None
    deliver()

    assert (message_of(1).state, message_of(1).skipped_why) == ("delivered", None)


def test_confirmed_messages_are_sent_once_more_by_force_alone(peer: Peer) -> None:
    peer.add("erp")
    peer.status = 204
    happened(1)
    deliver()

    with pytest.raises(Refused, match="only by force"):
        planned(RedeliveryFilter(state=[NotificationState.DELIVERED]))
    assert redelivered().planned == 0
    redelivered(RedeliveryFilter(state=[NotificationState.DELIVERED], force=True))
    deliver()

    assert peer.received == [message_of(1).message_id] * 2
    triggers = [each.trigger for each in message_list.record(message_of(1).message_id).history]
    assert triggers == [AttemptTrigger.AUTOMATIC, AttemptTrigger.FORCED]


def test_redelivered_message_that_fails_again_begins_its_schedule_anew(peer: Peer) -> None:
    peer.add("erp")
    happened(1)
    change(update(NotificationRow).values(attempts=50, state=NotificationState.DEAD))

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

    redelivered(RedeliveryFilter(state=[NotificationState.PENDING]))
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


def test_message_that_was_delivered_or_is_gone_since_the_list_was_frozen_is_not_sent(peer: Peer) -> None:
    peer.add("erp")
    peer.status = 204
    for number in range(3):
        happened(number)
    all_dead()
    row = planned()
    batches.freeze(row.id, "dana@desk")
    with writing() as session:  # a Retry of its run delivers one meanwhile
        session.get_one(NotificationRow, message_of(0).message_id).state = NotificationState.DELIVERED
        session.delete(session.get_one(NotificationRow, message_of(1).message_id))

    driven(row.id)
    deliver()
    found = driven(row.id)

    assert peer.received == [message_of(2).message_id]
    assert (found.state, found.completed, found.skipped) == ("done", 2, 1)


def test_paused_redelivery_sends_nothing_and_an_aborted_one_records_what_became_of_what_was_due(peer: Peer) -> None:
    peer.add("erp")
    happened(1)
    all_dead()
    row = planned()
    batches.freeze(row.id, "dana@desk")
    batches.change(BatchAction.PAUSE, row.id, "dana@desk")
    rows.set_driver(row.id, "a driver")
    asyncio.run(batches.step(row.id, "a driver"))
    assert message_of(1).state == "dead"

    batches.change(BatchAction.RESUME, row.id, "dana@desk")
    driven(row.id)
    batches.change(BatchAction.ABORT, row.id, "dana@desk")
    all_dead()

    found = batches.record(row.id, ItemQuery())
    assert (found.state, found.failed, found.items[0].sentence) == (
        *("aborted", 1, "the endpoint has not confirmed it in time"),
    )


@pytest.mark.parametrize("installation", ["postgres"], indirect=True)
def test_message_that_is_being_sent_does_not_hold_up_the_list(peer: Peer) -> None:
    """To wait for the row could be a deadlock. Only Postgres locks rows; SQLite has one writer at a time."""
    peer.add("erp")
    for number in range(3):
        happened(number)
    all_dead()
    row = planned()
    batches.freeze(row.id, "dana@desk")

    with writing() as session:
        session.get_one(NotificationRow, message_of(1).message_id, with_for_update=True)
        assert redeliveries.make_page_due(row.id, "dana@desk", NOW) == 2
    assert redeliveries.make_page_due(row.id, "dana@desk", NOW) == 1
    assert redeliveries.make_page_due(row.id, "dana@desk", NOW) is None
    assert set(all_of(select(NotificationRow.state))) == {"pending"}


@pytest.mark.usefixtures("installation")
def test_batch_that_is_killed_before_any_commit_goes_on_and_makes_nothing_due_twice() -> None:
    put_dead_messages()
    batch_id = planned().id

    for commits, delivered, due in ((0, 0, 0), (1, 0, 0), (2, 0, 1000), (3, 1000, 1000)):
        driven_until_killed(batch_id, commits)
        counts = Counter(all_of(select(NotificationRow.state)))
        assert (counts["delivered"], counts["pending"]) == (delivered, due)
        pending = col(NotificationRow.state) == NotificationState.PENDING  # what is due is sent meanwhile
        change(update(NotificationRow).where(pending).values(state=NotificationState.DELIVERED))
    driven(batch_id)

    found = driven(batch_id)  # what has ended is recorded a page at a time
    assert Counter(all_of(select(NotificationRow.state))) == {"delivered": 2000, "pending": DEAD - 2000}
    assert (found.planned, found.completed, found.started) == (DEAD, 2000, DEAD - 2000)


DEAD = 2500


def put_dead_messages() -> None:
    shared: dict[str, Any] = {"reference": "", "endpoint": "https://erp.example/hook", "endpoint_name": "erp"}
    shared |= {"event": "store.damaged", "state": NotificationState.DEAD}
    messages = [
        NotificationRow(message_id=f"msg_{number}", receipt_id=f"found-{number}", planned_at=HOUR_AGO, **shared)
        for number in range(DEAD)
    ]
    with writing() as session:
        session.add(EndpointRow(name="erp", url="https://erp.example/hook", created_at=HOUR_AGO))
        insert_rows(session, NotificationRow, [each.model_dump() for each in messages])

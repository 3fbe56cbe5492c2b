"""Messages that are not confirmed in their run: the state Undelivered, Retry, and the flow that goes on."""

import asyncio
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Running, Scheduled
from pytest_httpserver import HTTPServer
from sqlmodel import col, update
from werkzeug import Request, Response

from adapters.database.transactions import writing
from adapters.files.store import store
from adapters.settings.settings import Settings
from adapters.store.objects import history
from adapters.tables.messages import notifications
from adapters.tables.runs import task_results
from flows.deliver_messages import deliver_messages, settle, start_missing_runs, undelivered_runs
from flows.process_archive import process_archive
from models.messages.notification import EndpointRow, Event, EventType, NotificationRow
from models.runs.batch import BatchKind
from models.views.batch import RedeliveryFilter
from services.batches import batches
from services.messages.deliveries import give_up_expired
from services.messages.events import announce
from services.messages.known import known_endpoints
from tests.batches import driven
from tests.conftest import LONGEST_S, Configure
from tests.flows.conftest import due_now, received
from tests.flows.workers import worker_here
from tests.installations import archive_of
from tests.messages import SECRET, endpoint_of
from tests.samples import sample_body


class Downstream:
    """A downstream system that answers with a status, and remembers the ids of the messages."""

    def __init__(self, server: HTTPServer) -> None:
        self.status = 500
        self.asked: list[str] = []
        server.expect_request("/hook").respond_with_handler(self._answer)

    def _answer(self, request: Request) -> Response:
        self.asked.append(request.headers["webhook-id"])
        return Response("told dana@example.com", status=self.status)


@pytest.fixture
def downstream(configure: Configure, prefect: str, sqlite_installation: Settings, httpserver: HTTPServer) -> Downstream:
    configure(notify_urls=httpserver.url_for("/hook"), notify_secret=SECRET, notify_allow_private="true")
    return Downstream(httpserver)


def state_after(reference: str) -> State[Any]:
    async def run() -> State[Any]:
        return await process_archive(reference, return_state=True)

    return asyncio.run(run())


def deliver() -> None:
    asyncio.run(deliver_messages(known_endpoints()[0].name))


async def _run(flow_run_id: str) -> FlowRun:
    async with get_client() as client:
        return await client.read_flow_run(UUID(flow_run_id))


def run_of(reference: str) -> FlowRun:
    archive = archive_of(reference)
    return asyncio.run(_run(archive.runs[-1].flow_run_id))


def test_run_with_an_unconfirmed_message_ends_as_undelivered_and_becomes_completed_with_the_last_confirmation(
    downstream: Downstream,
) -> None:
    delivery = received("process-1", sample_body())

    state = state_after("process-1")

    assert (state.type.value, state.name) == ("COMPLETED", "Undelivered")
    (message,) = notifications.of_receipt(delivery.receipt_id)
    assert message.expires_at
    until = f"{message.expires_at:%Y-%m-%d %H:%M}"
    assert f"1 of 1 message is not confirmed yet; cellar tries until {until} UTC." in (state.message or "")
    assert downstream.asked == [message.message_id] * 3
    run = run_of("process-1")
    assert "undelivered" in run.tags
    archive = archive_of("process-1")
    assert (archive.state, [each.state for each in archive.runs]) == ("completed", ["Completed"])
    assert [(each.state, each.attempts) for each in archive.notifications] == [("pending", 3)]
    assert str(run.id) in task_results.flow_run_ids()

    downstream.status = 204
    due_now()
    deliver()

    run = run_of("process-1")
    assert run.state
    assert (run.state.name, "undelivered" in run.tags) == ("Completed", False)
    assert downstream.asked == [message.message_id] * 4
    assert str(run.id) not in task_results.flow_run_ids()
    kept = history.kept_rows(f"{next(iter(_history_keys(delivery.receipt_id)))}")
    assert kept
    assert [each["status_code"] for each in kept["notification_attempt"]] == [500, 500, 500, 204]
    assert kept["notification_attempt"][0]["answer"] == "told ***"


def _history_keys(receipt_id: str) -> list[str]:
    return [key for key, _ in store().listed("archives") if key.endswith(f"logs/history/{receipt_id}.json")]


@pytest.mark.parametrize(("begun_h", "started"), [(0, 0), (2, 1)], ids=["just now", "two hours ago"])
def test_endpoint_gets_a_run_beside_one_that_its_killed_worker_may_have_left(
    prefect: str, sqlite_installation: Settings, begun_h: int, started: int
) -> None:
    """Nobody recovers the runs of a stock worker. Two runs of an endpoint share its messages, and send none twice."""

    async def _check() -> int:
        async with get_client() as client:
            await client.create_deployment(await client.create_flow(deliver_messages), "scheduled")
            begun: State[Any] = Scheduled(scheduled_time=datetime.now(UTC) - timedelta(hours=begun_h))
            name = uuid4().hex
            run = await client.create_flow_run(
                deliver_messages, parameters={"endpoint": name}, tags=[f"endpoint:{name}"], state=begun
            )
            await client.set_flow_run_state(run.id, Running(), force=True)
            return await start_missing_runs(client, [name])

    assert asyncio.run(_check()) == started


def test_failing_endpoint_is_not_tried_by_the_next_run(downstream: Downstream) -> None:
    received("process-1", sample_body())
    state_after("process-1")
    received("process-2", sample_body("process-2"))

    state = state_after("process-2")

    assert state.name == "Undelivered"
    assert len(downstream.asked) == 3


def test_queue_is_delivered_at_once_and_in_order_after_an_outage(downstream: Downstream) -> None:
    references = [f"process-{number}" for number in range(3)]
    receipt_ids = [received(each, sample_body(each)).receipt_id for each in references]
    for each in references:
        state_after(each)
    planned = [notifications.of_receipt(each)[0].message_id for each in receipt_ids]
    downstream.status, downstream.asked[:] = 200, []
    with writing() as session:
        past = datetime.now(UTC) - timedelta(seconds=1)
        session.execute(update(EndpointRow).values(paused_until=past))
        first = update(NotificationRow).where(col(NotificationRow.message_id) == planned[0])
        session.execute(first.values(next_attempt_at=past))

    deliver()

    assert downstream.asked[0] == planned[0]
    assert sorted(downstream.asked[1:]) == sorted(planned[1:])
    assert all("undelivered" not in run_of(each).tags for each in references)


def test_gone_endpoint_is_disabled_and_the_run_says_that_its_message_is_given_up(downstream: Downstream) -> None:
    downstream.status = 410
    received("process-1", sample_body())

    state = state_after("process-1")

    assert (state.name, len(downstream.asked)) == ("Undelivered", 1)
    assert "1 of 1 message is given up." in (state.message or "")
    assert known_endpoints()[0].disabled_why == "the endpoint answered 410 Gone"


def test_expired_message_is_dead_and_keeps_its_id(downstream: Downstream) -> None:
    delivery = received("process-1", sample_body())
    state_after("process-1")
    (before,) = notifications.of_receipt(delivery.receipt_id)

    asyncio.run(give_up_expired(datetime.now(UTC) + timedelta(hours=76)))

    (after,) = notifications.of_receipt(delivery.receipt_id)
    assert (after.message_id, after.state) == (before.message_id, "dead")
    assert after.skipped_why == "the endpoint has not confirmed it in time"

    async def settled() -> int:
        async with get_client() as client:
            return await settle(client, await undelivered_runs(client, [run.id]))

    run = run_of("process-1")
    assert asyncio.run(settled()) == 0
    run = run_of("process-1")
    assert run.state
    assert (run.state.name, "1 of 1 message is given up." in (run.state.message or "")) == ("Undelivered", True)


def test_message_about_no_archive_is_delivered_by_the_flow(downstream: Downstream) -> None:
    downstream.status = 200
    announce(Event(EventType.STORE_DAMAGED, "found-1", datetime.now(UTC), b'{"type":"store.damaged"}'))

    deliver()

    (message,) = notifications.of_receipt("found-1")
    assert (message.state, downstream.asked) == ("delivered", [message.message_id])
    assert endpoint_of(message.endpoint_name).failing_since is None


def test_run_ends_before_an_endpoint_that_hangs_answers_and_its_message_is_confirmed_later(
    downstream: Downstream, httpserver: HTTPServer
) -> None:
    delivery = received("process-1", sample_body())
    next_delivery = received("process-2", sample_body("process-2"))
    may_answer = threading.Event()

    def answer_late(request: Request) -> Response:
        downstream.asked.append(request.headers["webhook-id"])
        may_answer.wait(LONGEST_S)
        return Response("", status=204)

    httpserver.clear()
    httpserver.expect_request("/hook").respond_with_handler(answer_late)

    async def run() -> list[State[Any]]:
        states: list[State[Any]] = [
            await process_archive(each, return_state=True) for each in ("process-1", "process-2")
        ]
        before.extend(notifications.of_receipt(delivery.receipt_id))
        may_answer.set()
        await _until(lambda: notifications.get(before[0].message_id).state == "delivered")
        return states

    before: list[NotificationRow] = []
    states = asyncio.run(run())

    assert [each.name for each in states] == ["Undelivered", "Undelivered"]
    assert [(each.state, each.attempts) for each in before] == [("pending", 0)]
    assert downstream.asked == [before[0].message_id]
    assert notifications.get(before[0].message_id).attempts == 1
    assert [each.attempts for each in notifications.of_receipt(next_delivery.receipt_id)] == [0]


def test_retry_of_an_undelivered_run_delivers_now_and_repeats_no_finished_task(downstream: Downstream) -> None:
    delivery = received("process-1", sample_body())

    async def run() -> tuple[FlowRun, FlowRun, dict[str, list[str]]]:
        async with get_client() as client, worker_here(client) as deployment_id:
            made = await client.create_flow_run_from_deployment(
                deployment_id, parameters={"reference": "process-1", "receipt_id": delivery.receipt_id}
            )
            before = await _ended(client, made.id, 1)
            downstream.status = 200
            await client.set_flow_run_state(made.id, _scheduled(), force=True)
            after = await _ended(client, made.id, 2)
            return before, after, await _states(client, made.id)

    before, after, tasks = asyncio.run(run())

    assert before.state
    assert after.state
    assert (before.state.name, after.state.name) == ("Undelivered", "Completed")
    assert "undelivered" not in after.tags
    assert len(downstream.asked) == 4
    assert len(set(downstream.asked)) == 1
    assert {name: states for name, states in tasks.items() if name != "notify-downstream"} == {
        "persist-files": ["Cached", "Completed"],
        "load-metadata": ["Cached", "Completed"],
        "reconcile-payments": ["Cached", "Completed"],
    }
    archive = archive_of("process-1")
    assert [(each.state, each.trigger) for each in archive.runs] == [("Completed", "rerun"), ("Completed", "retry")]


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LONGEST_S):
        while True:
            if condition():
                return
            await asyncio.sleep(0.1)


def _scheduled() -> State[Any]:
    return Scheduled(message="Retried via CLI")  # as `prefect flow-run retry` does


async def _ended(client: Any, flow_run_id: UUID, count: int) -> FlowRun:
    while True:
        found: FlowRun = await client.read_flow_run(flow_run_id)
        if found.state and found.state.is_final() and found.run_count == count:
            return found
        await asyncio.sleep(0.2)


async def _states(client: Any, flow_run_id: UUID) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    while sum(map(len, found.values())) < 8:  # Prefect learns of task runs by events
        found = {}
        of_run = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id]))
        for each in await client.read_task_runs(flow_run_filter=of_run):
            if each.state and each.state.is_final():
                found.setdefault(each.name.rsplit("-", 1)[0], []).append(each.state.name or "")
        await asyncio.sleep(0.2)
    return {name: sorted(states) for name, states in found.items()}


def test_undelivered_run_of_a_dead_message_is_completed_by_its_redelivery(downstream: Downstream) -> None:
    delivery = received("process-1", sample_body())
    state_after("process-1")
    asyncio.run(give_up_expired(datetime.now(UTC) + timedelta(hours=76)))
    downstream.status, downstream.asked[:] = 204, []

    plan = batches.plan(BatchKind.REDELIVER, RedeliveryFilter(reference="process-1"), "dana@desk")
    batches.freeze(plan.id, "dana@desk")
    driven(plan.id)
    deliver()

    (message,) = notifications.of_receipt(delivery.receipt_id)
    assert (message.state, downstream.asked) == ("delivered", [message.message_id])
    run = run_of("process-1")
    assert run.state
    assert (run.state.name, "undelivered" in run.tags) == ("Completed", False)
    assert str(run.id) not in task_results.flow_run_ids()
    kept = history.kept_rows(_history_keys(delivery.receipt_id)[0])
    assert kept
    assert [(each["trigger"], each["by"]) for each in kept["notification_attempt"]][-2:] == [
        ("automatic", None),
        ("manual", "dana@desk"),
    ]

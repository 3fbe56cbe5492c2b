"""The worker finds due runs, and starts only runs that may execute beside its current runs."""

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect import Flow
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import AwaitingRetry, Scheduled

from adapters.settings.environment import POOL
from adapters.tables.runs import receipts
from flows.process_archive import process_archive
from flows.worker import due_runs
from flows.worker.due_runs import DRIVES_BATCH, SLOTS, SUSPECT, DueRuns, Outages, startable
from models.runs.receipt import Delivery
from tests.conftest import wait_until
from tests.flows import workers
from tests.flows.conftest import received
from tests.flows.workers import Downstream
from tests.samples import sample_body

FLOW_ID = uuid4()
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def _nothing() -> None: ...


FOREIGN: Flow[..., Any] = Flow(_nothing, name="of-somebody-else")


def run(reference: str | None = None, why: str = "Its worker was killed.", tags: tuple[str, ...] = ()) -> FlowRun:
    parameters = {"reference": reference} if reference else {}
    state: State[Any] = AwaitingRetry(message=why)
    return FlowRun(flow_id=FLOW_ID, name="r", parameters=parameters, state=state, run_count=9, tags=list(tags))


RUNS = st.lists(
    st.builds(run, st.sampled_from([None, *"abcdefgh"]), st.sampled_from(["Waiting", SUSPECT])), max_size=40
)


class TestStartable:
    def test_one_run_per_process_and_any_number_without_a_process_start(self) -> None:
        first, second, other, sweep, verify = run("a"), run("a"), run("b"), run(), run()
        assert startable([first, second, other, sweep, verify], []) == [first, other, sweep, verify]
        assert startable([second, other], [first]) == [other]

    def test_run_whose_workers_were_killed_starts_only_when_no_run_works(self) -> None:
        suspect, innocent = run("a", SUSPECT), run("b")
        assert startable([suspect], [innocent]) == []
        assert startable([innocent, suspect], []) == [innocent]
        assert startable([suspect, innocent], []) == [suspect]

    def test_no_run_starts_beside_a_run_whose_workers_were_killed(self) -> None:
        assert startable([run("b")], [run("a", SUSPECT)]) == []

    def test_one_run_of_a_flow_works_while_a_system_that_it_needs_is_away(self) -> None:
        sweep = FlowRun(flow_id=uuid4(), name="sweep", parameters={}, state=Scheduled())
        first, second = run("a"), run("b")
        assert startable([first, second, sweep], [], FLOW_ID) == [first, sweep]
        assert startable([second, sweep], [first], FLOW_ID) == [sweep]

    def test_driver_of_a_batch_starts_beside_other_runs_however_often_its_worker_was_killed(self) -> None:
        driver = run(None, SUSPECT, tags=(DRIVES_BATCH,))
        assert startable([driver], [run("a")]) == [driver]
        assert len(startable([run("b")], [driver])) == 1

    @given(RUNS)
    def test_starting_runs_fit_the_slots_and_keep_their_order(self, due: list[FlowRun]) -> None:
        starting = startable(due, [])
        assert len(starting) <= SLOTS
        assert starting == [each for each in due if each in starting]
        assert bool(starting) == bool(due)

    @given(RUNS)
    def test_the_same_runs_start_singly_as_together(self, due: list[FlowRun]) -> None:
        working: list[FlowRun] = []
        for each in due:
            working += startable([each], working)
        assert working == startable(due, [])


@pytest.mark.usefixtures("prefect")
def test_due_runs_of_foreign_flows_hide_none_of_ours() -> None:
    """The foreign runs have been due for longer, and are more than the first request returns."""

    async def _check() -> None:
        async with get_client() as client:
            await workers.make_pool(client)
            foreign = [await _due_since(client, FOREIGN, NOON + timedelta(seconds=second)) for second in range(40)]
            ours = await _due_since(client, process_archive, NOON + timedelta(minutes=1))
            due = DueRuns(client, [ours.flow_id], {}, Outages({}))

            await due.look()

            assert ours.id in [each.id for each in due.take()]
            for each in (*foreign, ours):
                await client.delete_flow_run(each.id)

    asyncio.run(_check())


@pytest.mark.usefixtures("prefect")
def test_more_than_a_page_of_simultaneous_runs_hides_no_later_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(due_runs, "RUNS_PER_PAGE", 20)

    async def _check() -> None:
        async with get_client() as client:
            await workers.make_pool(client)
            foreign = [await _due_since(client, FOREIGN, NOON) for _ in range(21)]
            ours = await _due_since(client, process_archive, NOON + timedelta(minutes=1))
            due = DueRuns(client, [ours.flow_id], {}, Outages({}))

            await due.look()

            assert ours.id in [each.id for each in due.take()]
            for each in (*foreign, ours):
                await client.delete_flow_run(each.id)

    asyncio.run(_check())


@pytest.mark.usefixtures("prefect")
def test_runs_that_are_due_now_take_turns_with_a_backlog_which_leaves_them_most_of_the_slots(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While they are taken, Prefect is not asked for the backlog at each event, which would cost as much as a run."""

    async def _check() -> None:
        async with get_client() as client:
            await workers.make_pool(client)  # where runs that waited in other tests may just have become due
            backlog = [await _due_since(client, FOREIGN, NOON + timedelta(seconds=place)) for place in range(40)]
            live: dict[str, Any] = {}
            due = DueRuns(client, [backlog[0].flow_id], live, Outages({}))
            await due.look()
            started = [each.id for each in due.take()]
            live |= {str(each.id): SimpleNamespace(flow_run=each, holds_slot=True) for each in backlog[:4]}
            with monkeypatch.context() as patch:
                patch.delattr(due_runs, "due_runs")
                await due.look()
            live.clear()

            new = [await _due_since(client, FOREIGN, datetime.now(UTC)) for _ in range(2)]
            await due.look_for_new()
            next_started = [each.id for each in due.take()]

            assert started == [each.id for each in backlog[:4]]
            assert next_started[:4] == [new[0].id, backlog[4].id, new[1].id, backlog[5].id]
            for each in (*backlog, *new):
                await client.delete_flow_run(each.id)

    asyncio.run(_check())


async def _due_since(client: PrefectClient, flow: Flow[..., Any], at: datetime) -> FlowRun:
    return await client.create_flow_run(flow, state=Scheduled(scheduled_time=at), work_pool_name=POOL)


def test_unavailable_endpoint_does_not_delay_the_next_receipt_of_its_process(downstream: Downstream) -> None:
    downstream.hold()
    bodies = [sample_body("process-1"), sample_body("process-1", note="newer")]
    _complete_all([received("process-1", body) for body in bodies], downstream)


@pytest.mark.faults
def test_unavailable_endpoint_delays_no_other_archive(downstream: Downstream) -> None:
    """Each run waits for the endpoint, and there are more runs than slots."""
    downstream.hold()
    references = [f"process-{number}" for number in range(SLOTS + 2)]
    _complete_all([received(each, sample_body(each)) for each in references], downstream)


def _complete_all(deliveries: list[Delivery], downstream: Downstream) -> None:
    async def _complete() -> None:
        async with get_client() as client, workers.worker_here(client) as deployment_id:
            for each in deliveries:
                parameters = {"reference": each.reference, "receipt_id": each.receipt_id}
                await client.create_flow_run_from_deployment(deployment_id, parameters=parameters)
            await asyncio.to_thread(wait_until, lambda: all(_is_complete(each.receipt_id) for each in deliveries))
            downstream.let_go()

    asyncio.run(_complete())


def _is_complete(receipt_id: str) -> bool:
    return receipts.get(receipt_id).state == "completed"

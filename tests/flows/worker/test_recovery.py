"""Runs without a worker are recovered. The claims of a dead worker expire."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import prefect
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.states import Cancelling, Completed, Pending, Running, Scheduled

from adapters.settings.environment import POOL
from adapters.tables.runs import leases, runs
from flows.process_archive import persist_files, process_archive
from flows.verify_archives import verify_archives
from flows.worker.due_runs import SUSPECT
from flows.worker.pool import take
from flows.worker.recovery import Watch, recover, recover_strays, state_after
from tests.flows.conftest import received
from tests.flows.workers import make_pool
from tests.records import run_row
from tests.samples import sample_body

ME = "worker-1"


class TestWatch:
    def test_worker_takes_nothing_over_before_it_has_watched_as_long_as_claims_last(self) -> None:
        watch = Watch(25, 100)
        for now_s in range(105, 125, 5):
            watch.renewed(now_s)
            assert not watch.may_take_over(now_s)
        watch.renewed(125)
        assert watch.may_take_over(125)

    @given(st.lists(st.floats(0.1, 60), max_size=60))
    def test_gap_in_its_own_renewals_begins_the_watch_again(self, pauses_s: list[float]) -> None:
        """While the database was away for a minute, no worker could renew its claims."""
        watch, now_s, since_s = Watch(25, 0), 0.0, 0.0
        for pause_s in pauses_s:
            gap_s, now_s = (now_s + pause_s) - now_s, now_s + pause_s
            if gap_s > 12.5:
                assert not watch.may_take_over(now_s)
                since_s = now_s
            watch.renewed(now_s)
            assert watch.may_take_over(now_s) == (now_s - since_s >= 25)


@pytest.mark.usefixtures("prefect", "sqlite_installation")
@pytest.mark.parametrize(
    ("left", "recovered"),
    [
        (Running(), (StateType.SCHEDULED, "AwaitingRetry")),
        (Cancelling(), (StateType.CANCELLED, "Cancelled")),
        (Completed(), (StateType.COMPLETED, "Completed")),
    ],
    ids=lambda each: each.name if isinstance(each, State) else "",
)
def test_recovered_run_is_in_the_right_state_without_a_claim(left: "State[Any]", recovered: tuple[Any, str]) -> None:
    async def _check() -> None:
        async with get_client() as client:
            flow_run = await _run_in(client, left)
            leases.claim([str(flow_run.id)], ME, 30)

            await recover(client, str(flow_run.id), ME)
            await recover(client, str(flow_run.id), ME)

            found = await client.read_flow_run(flow_run.id)
            assert (found.state_type, found.state_name) == recovered
            assert leases.held_by(ME) == set()

    asyncio.run(_check())


@pytest.mark.usefixtures("prefect", "sqlite_installation")
def test_run_taken_but_not_begun_becomes_due_again() -> None:
    async def _check() -> None:
        async with get_client() as client:
            flow_run = await client.create_flow_run(process_archive, parameters={"reference": "r"}, state=Scheduled())
            assert await take(client, flow_run.id)
            leases.claim([str(flow_run.id)], ME, 30)

            await recover(client, str(flow_run.id), ME)

            assert (await client.read_flow_run(flow_run.id)).state_name == "AwaitingRetry"

    asyncio.run(_check())


@pytest.mark.usefixtures("prefect", "sqlite_installation")
@pytest.mark.parametrize("begun", [Pending(), Running()], ids=["Pending", "Running"])
def test_run_taken_first_by_a_stock_worker_is_not_recovered(begun: "State[Any]") -> None:
    """A worker claims a run before it asks Prefect. If it is killed in between, only its claim remains."""

    async def _check() -> None:
        async with get_client() as client:
            flow_run = await client.create_flow_run(process_archive, parameters={"reference": "r"}, state=Scheduled())
            leases.claim([str(flow_run.id)], ME, 30)
            for state in (Pending(), begun):
                await client.set_flow_run_state(flow_run.id, state)
            leases.take(["process-1"], f"{flow_run.id}:1", 30)

            await recover(client, str(flow_run.id), ME)

            assert (await client.read_flow_run(flow_run.id)).state_name == begun.name
            assert not leases.take(["process-1"], "the next", 30)
            assert leases.held_by(ME) == set()

    asyncio.run(_check())


@pytest.mark.usefixtures("prefect", "sqlite_installation")
def test_run_now_claimed_by_another_worker_is_not_recovered() -> None:
    async def _check() -> None:
        async with get_client() as client:
            flow_run = await _run_in(client, Running())
            leases.claim([str(flow_run.id)], "other", 30)

            await recover(client, str(flow_run.id), ME)

            assert (await client.read_flow_run(flow_run.id)).state_name == "Running"
            assert leases.held_by("other") == {str(flow_run.id)}

    asyncio.run(_check())


@pytest.mark.usefixtures("prefect", "sqlite_installation")
def test_claim_of_a_deleted_run_is_dropped() -> None:
    async def _check() -> None:
        async with get_client() as client:
            gone = str(uuid4())
            leases.claim([gone], ME, 30)

            await recover(client, gone, ME)

            assert leases.held_by(ME) == set()

    asyncio.run(_check())


@pytest.mark.usefixtures("prefect", "sqlite_installation")
def test_recovery_ends_the_tasks_of_a_run_and_leaves_its_lease() -> None:
    async def _check() -> None:
        async with get_client() as client:
            flow_run = await _run_in(client, Running())
            task_run = await client.create_task_run(persist_files, flow_run.id, "0", state=Running())
            leases.claim([str(flow_run.id)], ME, 30)
            leases.take(["process-1"], f"{flow_run.id}:1", 30)

            await recover(client, str(flow_run.id), ME)

            assert not leases.take(["process-1"], "the next", 30)  # its worker may only have paused
            assert (await client.read_task_run(task_run.id)).state_type is StateType.CRASHED

    asyncio.run(_check())


@pytest.mark.usefixtures("prefect", "sqlite_installation")
def test_recovery_ends_all_tasks_of_a_run_with_more_than_a_page() -> None:
    async def _check() -> None:
        async with get_client() as client:
            flow_run = await _run_in(client, Running())
            for number in range(200):
                await client.create_task_run(persist_files, flow_run.id, f"ended-{number}", state=Completed())
            running = [
                await client.create_task_run(persist_files, flow_run.id, f"{n}", state=Running()) for n in range(2)
            ]
            leases.claim([str(flow_run.id)], ME, 30)

            await recover(client, str(flow_run.id), ME)

            states = {(await client.read_task_run(each.id)).state_type for each in running}
            assert states == {StateType.CRASHED}

    asyncio.run(_check())


@pytest.mark.usefixtures("prefect", "sqlite_installation")
def test_run_that_kills_its_workers_is_retried_ever_later_and_then_alone() -> None:
    receipt_id = received("r", sample_body("r")).receipt_id

    async def _check() -> list[tuple[float, str]]:
        found = []
        async with get_client() as client:
            flow_run = await _run_in(client, Running())
            for attempt in range(1, 5):
                _begin(flow_run, attempt, receipt_id)
                leases.claim([str(flow_run.id)], ME, 30)
                await recover(client, str(flow_run.id), ME)
                state = (await client.read_flow_run(flow_run.id)).state
                assert state
                assert state.state_details.scheduled_time
                found.append((state.state_details.scheduled_time.timestamp() - time.time(), state.message or ""))
                await client.set_flow_run_state(flow_run.id, Running(), force=True)
        return found

    pauses_s, messages = zip(*asyncio.run(_check()), strict=True)
    assert pauses_s[0] <= 0
    assert pauses_s == tuple(sorted(pauses_s))
    assert [each == SUSPECT for each in messages] == [False, False, True, True]


NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_run_that_has_killed_its_workers_for_three_days_stays_crashed() -> None:
    last, over = NOON + timedelta(days=3, seconds=-1), NOON + timedelta(days=3)

    assert state_after(StateType.RUNNING, 60, NOON, last).type is StateType.SCHEDULED
    assert state_after(StateType.RUNNING, 60, NOON, over).type is StateType.CRASHED


@given(st.integers(1, 1000))
def test_pause_after_a_crash_is_an_hour_at_most(crashes: int) -> None:
    due_at = state_after(StateType.RUNNING, crashes, NOON, NOON).state_details.scheduled_time

    assert due_at
    assert NOON <= due_at <= NOON + timedelta(hours=1)


@pytest.mark.usefixtures("prefect", "sqlite_installation")
def test_only_runs_without_a_sign_of_life_are_strays() -> None:
    """Runs of a stock worker have no claim. A lease or a recent start is their sign of life."""
    now = datetime.now(UTC) + timedelta(minutes=20)

    async def _check() -> None:
        async with get_client() as client:
            await make_pool(client)
            dead = await _run_in(client, Running(), POOL)
            alive = await _run_in(client, Running(), POOL)
            ours = await _run_in(client, Running(), POOL)
            leases.claim([str(ours.id)], ME, 30)
            leases.take(["r-dead"], f"{dead.id}:1", 30)
            leases.take(["r-alive"], f"{alive.id}:1", 20 * 60)

            await recover_strays(client, datetime.now(UTC))
            assert (await client.read_flow_run(dead.id)).state_name == "Running"
            await recover_strays(client, now)

            states = [(await client.read_flow_run(each.id)).state_name for each in (dead, alive, ours)]
            assert states == ["AwaitingRetry", "Running", "Running"]

    asyncio.run(_check())


@pytest.mark.usefixtures("prefect", "sqlite_installation")
@pytest.mark.parametrize("flow", [verify_archives, prefect.Flow(lambda: None, name="of-somebody-else")])
def test_run_of_a_flow_without_leases_is_never_a_stray(flow: "prefect.Flow[..., Any]") -> None:
    async def _check() -> None:
        async with get_client() as client:
            await make_pool(client)
            working = await client.create_flow_run(flow, state=Running(), work_pool_name=POOL)

            await recover_strays(client, datetime.now(UTC) + timedelta(days=1))

            assert (await client.read_flow_run(working.id)).state_name == "Running"

    asyncio.run(_check())


async def _run_in(client: PrefectClient, state: "State[Any]", pool: str | None = None) -> FlowRun:
    """Return a run that a worker of cellar has begun and left in a state."""
    flow_run = await client.create_flow_run(
        process_archive, parameters={"reference": "r"}, state=Scheduled(), work_pool_name=pool
    )
    assert await take(client, flow_run.id)
    await client.set_flow_run_state(flow_run.id, state, force=True)
    return await client.read_flow_run(UUID(str(flow_run.id)))


def _begin(flow_run: FlowRun, attempt: int, receipt_id: str) -> None:
    runs.begin(run_row(str(flow_run.id), receipt_id, attempt=attempt, started_at=datetime.now(UTC)))

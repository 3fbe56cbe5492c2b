"""A wait whose run does not come back ends: the next run takes over, or a person's Cancel stands."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import AwaitingRetry, Cancelled

from adapters.settings.settings import settings
from adapters.tables.runs import receipts, runs, waiting
from models.archive.archive import State as Stands
from models.errors import System
from models.runs.cause import Cause
from models.runs.receipt import Delivery
from models.runs.run import RunRow, RunState, Trigger
from services.triggering.lost_waits import end_lost_waits
from services.triggering.trigger import start_run
from tests.records import NOON, delivery

pytestmark = pytest.mark.usefixtures("deployment", "sqlite_installation")

AWAY = Cause("ENDPOINT_AWAY", "notify-downstream", "Transient", "the endpoint does not answer")


@pytest.fixture
def complete() -> Delivery:
    """Return a delivery that is complete and has left the inbox."""
    made = delivery(uuid4().hex, uuid4().hex)
    receipts.register(made)
    receipts.set_state(made.receipt_id, Stands.COMPLETED, NOON)
    return made


def _waiting_run(of: Delivery) -> str:
    """Return a run that waits for an endpoint, in Prefect and in our history."""
    run_id = asyncio.run(start_run(of.reference, of.receipt_id, Trigger.WEBHOOK)).flow_run_id
    row = RunRow(
        flow_run_id=run_id,
        attempt=1,
        reference=of.reference,
        receipt_id=of.receipt_id,
        trigger=Trigger.WEBHOOK,
        state=RunState.RUNNING,
        started_at=NOON,
    )
    runs.begin(row)
    runs.wait(run_id, 1, System.ENDPOINT, NOON, AWAY)
    asyncio.run(_set(run_id, AwaitingRetry()))
    return run_id


async def _set(flow_run_id: str, state: State[Any]) -> None:
    async with PrefectClient(settings().prefect_url) as client:
        await client.set_flow_run_state(UUID(flow_run_id), state, force=True)


async def _delete(flow_run_id: str) -> None:
    async with PrefectClient(settings().prefect_url) as client:
        await client.delete_flow_run(UUID(flow_run_id))


async def _runs_of(of: Delivery) -> list[FlowRun]:
    async with PrefectClient(settings().prefect_url) as client:
        named = FlowRunFilter(name=FlowRunFilterName(any_=[of.reference]))  # the server has the runs of other tests too
        return await client.read_flow_runs(flow_run_filter=named)


def test_waiting_run_that_prefect_has_goes_on_waiting(complete: Delivery) -> None:
    _waiting_run(complete)

    assert asyncio.run(end_lost_waits()) == 0
    assert [each.waits_for for each in waiting.summary()] == ["endpoint"]


def test_cancelled_run_waits_no_longer_and_has_no_next_run(complete: Delivery) -> None:
    run_id = _waiting_run(complete)
    asyncio.run(_set(run_id, Cancelled()))

    assert asyncio.run(end_lost_waits()) == 1
    assert waiting.summary() == []
    assert [str(each.id) for each in asyncio.run(_runs_of(complete))] == [run_id]


def test_deleted_run_is_replaced_by_the_next_run(complete: Delivery) -> None:
    run_id = _waiting_run(complete)
    asyncio.run(_delete(run_id))

    assert asyncio.run(end_lost_waits()) == 1
    assert waiting.summary() == []
    (following,) = asyncio.run(_runs_of(complete))
    assert following.state_name == "Scheduled"

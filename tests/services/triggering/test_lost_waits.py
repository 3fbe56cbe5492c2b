"""A wait whose run does not come back ends: the next run takes over, or a person's Cancel stands."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import AwaitingRetry, Cancelled

from adapters.database.transactions import writing
from adapters.settings.settings import Settings, settings
from adapters.tables.open_conditions import DerivedCode, open_numbers
from adapters.tables.runs import receipts, runs, waiting
from models.archive.archive import State as Stands
from models.errors import System, Transient
from models.runs.cause import Cause
from models.runs.receipt import Delivery
from models.runs.run import RunRow, RunState, Trigger
from services.triggering.lost_waits import end_lost_waits
from services.triggering.reruns import rerun, start_asked
from services.triggering.trigger import start_run
from tests.conftest import free_port
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
    assert list(open_numbers(DerivedCode.SYSTEM_AWAY)) == ["endpoint"]


def test_cancelled_run_waits_no_longer_and_has_no_next_run(complete: Delivery) -> None:
    run_id = _waiting_run(complete)
    asyncio.run(_set(run_id, Cancelled()))

    assert asyncio.run(end_lost_waits()) == 1
    assert open_numbers(DerivedCode.SYSTEM_AWAY) == {}
    assert [str(each.id) for each in asyncio.run(_runs_of(complete))] == [run_id]


def test_deleted_run_is_replaced_by_the_next_run(complete: Delivery) -> None:
    run_id = _waiting_run(complete)
    asyncio.run(_delete(run_id))

    assert asyncio.run(end_lost_waits()) == 1
    assert open_numbers(DerivedCode.SYSTEM_AWAY) == {}
    (following,) = asyncio.run(_runs_of(complete))
    assert following.state_name == "Scheduled"


def test_re_runs_asked_for_while_prefect_is_away_start_once_when_it_is_back(
    complete: Delivery, configure: Callable[..., Settings]
) -> None:
    prefect_url = settings().prefect_url
    configure(PREFECT_API_URL=f"http://127.0.0.1:{free_port()}/api")
    (first,), (second,) = (asyncio.run(rerun([complete.reference], "dana@host")) for _ in range(2))
    with pytest.raises(Transient):
        asyncio.run(start_asked())

    configure(PREFECT_API_URL=prefect_url)
    started = [asyncio.run(start_asked()) for _ in range(2)]

    assert (first.flow_run_id, second.flow_run_id, started) == (None, None, [1, 0])
    (run,) = asyncio.run(_runs_of(complete))
    assert "trigger:rerun" in run.tags
    assert open_numbers(DerivedCode.SYSTEM_AWAY) == {}


def test_asked_re_run_is_kept_while_the_end_of_an_earlier_run_is_recorded(complete: Delivery) -> None:
    """Its asker may be killed between that record and the next run."""
    with writing() as session:
        waiting.ask_within(session, complete.reference, complete.receipt_id, NOON)
    runs.record_unseen(
        RunRow(
            flow_run_id=str(uuid4()),
            attempt=1,
            reference=complete.reference,
            receipt_id=complete.receipt_id,
            trigger=Trigger.WEBHOOK,
            state=RunState.CRASHED,
            started_at=NOON,
            ended_at=NOON,
        )
    )

    assert asyncio.run(end_lost_waits()) == 0
    assert asyncio.run(start_asked()) == 1

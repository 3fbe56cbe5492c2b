"""A wait whose run does not come back ends: the next run takes over, or a person's Cancel stands."""

import asyncio
from uuid import uuid4

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName
from prefect.client.schemas.objects import FlowRun
from prefect.states import AwaitingRetry, Cancelled
from pytest_httpserver import HTTPServer
from sqlmodel import update

from adapters.database.transactions import writing
from adapters.settings.settings import settings
from adapters.tables.open_conditions import open_numbers
from adapters.tables.runs import receipts, runs, waiting
from models.archive.archive import State as Stands
from models.errors import System, Transient
from models.runs.receipt import Cause, Delivery, ReceiptRow, RunState, Trigger
from models.said import verbatim
from models.store.condition import DerivedCode
from services.triggering.reruns import end_lost_waits, rerun, start_asked
from services.triggering.trigger import start_run
from tests.conftest import Configure, free_port
from tests.records import NOON, change, delivery, run_row
from tests.services.triggering.test_trigger import delete_run, ending_at_once, set_state

pytestmark = pytest.mark.usefixtures("deployment", "sqlite_installation")

AWAY = Cause("ENDPOINT_AWAY", "notify-downstream", "Transient", verbatim("the endpoint does not answer"))


@pytest.fixture
def complete() -> Delivery:
    """Return a delivery that is complete and has left the inbox."""
    made = delivery(uuid4().hex, uuid4().hex)
    receipts.register_all([made])
    receipts.set_state(made.receipt_id, Stands.COMPLETED, NOON)
    return made


def _waiting_run(of: Delivery) -> str:
    """Return a run that waits for an endpoint, in Prefect and in our history."""
    run_id = asyncio.run(start_run(of.reference, of.receipt_id, Trigger.WEBHOOK)).flow_run_id
    row = run_row(run_id, of.receipt_id, reference=of.reference)
    runs.begin(row)
    runs.wait(run_id, 1, System.ENDPOINT, NOON, AWAY)
    asyncio.run(set_state(run_id, AwaitingRetry()))
    return run_id


async def _runs_of(of: Delivery) -> list[FlowRun]:
    async with PrefectClient(settings().prefect_url) as client:
        named = FlowRunFilter(name=FlowRunFilterName(any_=[of.reference]))  # the server has the runs of other tests too
        return await client.read_flow_runs(flow_run_filter=named)


def test_run_goes_on_waiting_until_it_is_cancelled_and_has_no_next_run(complete: Delivery) -> None:
    run_id = _waiting_run(complete)
    assert asyncio.run(end_lost_waits()) == 0
    assert list(open_numbers(DerivedCode.SYSTEM_AWAY)) == ["endpoint"]

    asyncio.run(set_state(run_id, Cancelled()))

    assert asyncio.run(end_lost_waits()) == 1
    assert open_numbers(DerivedCode.SYSTEM_AWAY) == {}
    assert [str(each.id) for each in asyncio.run(_runs_of(complete))] == [run_id]


def test_deleted_run_is_replaced_by_the_next_run(complete: Delivery) -> None:
    asyncio.run(delete_run(_waiting_run(complete)))

    assert asyncio.run(end_lost_waits()) == 1
    assert open_numbers(DerivedCode.SYSTEM_AWAY) == {}
    (following,) = asyncio.run(_runs_of(complete))
    assert following.state_name == "Scheduled"


def test_lost_run_that_prefect_cannot_replace_is_given_up_and_delays_no_other(
    complete: Delivery, configure: Configure, httpserver: HTTPServer
) -> None:
    _waiting_run(complete)
    ending_at_once(httpserver, configure)
    change(update(ReceiptRow).values(state=Stands.PROCESSING))

    assert asyncio.run(end_lost_waits()) == 1
    assert waiting.systems() == set()


def test_re_runs_asked_for_while_prefect_is_away_start_once_when_it_is_back(
    complete: Delivery, configure: Configure
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
        run_row(str(uuid4()), complete.receipt_id, reference=complete.reference, state=RunState.CRASHED, ended_at=NOON)
    )

    assert asyncio.run(end_lost_waits()) == 0
    assert asyncio.run(start_asked()) == 1

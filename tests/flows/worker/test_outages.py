"""A system that is back makes its runs due, also where Prefect fails in between. A probe that hangs hangs once."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from prefect.client.orchestration import get_client
from prefect.states import AwaitingRetry

from adapters.database.transactions import writing
from adapters.settings.settings import settings
from adapters.tables.runs import waiting
from flows.process_archive import process_archive
from flows.worker.due_runs import Outages
from models.errors import System, Transient
from models.runs.receipt import WaitingRow
from tests.conftest import Configure
from tests.flows.conftest import store_away

pytestmark = pytest.mark.usefixtures("prefect", "sqlite_installation")


def _waits(flow_run_id: str, system: System) -> None:
    row = WaitingRow(
        flow_run_id=flow_run_id,
        reference="r",
        receipt_id="receipt",
        waits_for=system,
        since=datetime.now(UTC),
        attempts=9,
    )
    with writing() as session:
        waiting.begin_within(session, row)


def test_runs_of_a_system_that_is_back_become_due_though_prefect_failed_at_first(
    configure: Configure,
) -> None:
    later, prefect_url = datetime.now(UTC) + timedelta(minutes=15), settings().prefect_url

    async def _due_at() -> datetime | None:
        async with get_client() as client:
            run = await client.create_flow_run(process_archive, parameters={"reference": "r"})
            await client.set_flow_run_state(run.id, AwaitingRetry(scheduled_time=later), force=True)
            await asyncio.to_thread(_waits, str(run.id), System.STORE)
            outages = Outages({})
            with store_away():
                await outages.look()
            configure(PREFECT_API_URL="http://127.0.0.1:1/api")
            with pytest.raises(Transient):
                await outages.look()
            configure(PREFECT_API_URL=prefect_url)
            await outages.look()
            return (await client.read_flow_run(run.id)).next_scheduled_start_time

    due_at = asyncio.run(_due_at())

    assert due_at
    assert due_at < later


@pytest.mark.faults
def test_probe_that_hangs_occupies_one_thread(configure: Configure) -> None:
    """Else the threads of a worker run out after minutes, and without beats it is taken for dead."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.socket() as filler:
        filler.connect(full.getsockname())  # the queue of connections is full: the next connection hangs
        configure(clamd=f"127.0.0.1:{full.getsockname()[1]}")
        _waits("run-1", System.CLAMAV)

        async def _look() -> int:
            asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
            outages = Outages({})
            await outages.look()
            await outages.look()
            free = await asyncio.wait_for(asyncio.to_thread(int, "1"), 5)
            full.close()
            return free

        assert asyncio.run(_look()) == 1

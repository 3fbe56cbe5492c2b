"""A run that fails for a transient cause waits in no slot, says so, and goes on as soon as the system is back."""

import asyncio
import socket
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.flow_engine import run_flow_async

from adapters.database.transactions import writing
from adapters.settings.settings import Settings
from adapters.tables.open_conditions import open_numbers
from adapters.tables.runs import waiting
from flows.process_archive import process_archive
from models.errors import System
from models.runs.receipt import WaitingRow
from models.store.condition import DerivedCode
from models.views.archives.archives import CauseView
from tests.conftest import Configure, wait_until
from tests.flows import workers
from tests.flows.conftest import received, store_away
from tests.installations import archive_of
from tests.samples import sample_body

pytestmark = pytest.mark.usefixtures("prefect")


def _cause(reference: str) -> CauseView:
    wait_until(lambda: archive_of(reference).cause is not None)
    found = archive_of(reference).cause
    assert found
    return found


async def _started(client: object, deployment_id: UUID, reference: str, receipt_id: str) -> UUID:
    parameters = {"reference": reference, "receipt_id": receipt_id}
    made = await client.create_flow_run_from_deployment(deployment_id, parameters=parameters)  # type: ignore[attr-defined]
    run_id: UUID = made.id
    return run_id


def test_archive_waits_for_the_store_and_is_completed_when_it_is_back(sqlite_installation: Settings) -> None:
    delivery = received("process-1", sample_body("process-1"))

    async def _run() -> FlowRun:
        async with get_client() as client, workers.worker_here(client) as deployment_id:
            with store_away():
                run_id = await _started(client, deployment_id, "process-1", delivery.receipt_id)
                cause = await asyncio.to_thread(_cause, "process-1")
                assert (cause.code, cause.task, cause.attempt) == ("STORE_AWAY", "persist-files", 1)
                assert archive_of("process-1").state == "processing"
                assert open_numbers(DerivedCode.SYSTEM_AWAY) == {"store": 1}
                await asyncio.to_thread(workers.wait_for, str(run_id), "AwaitingRetry")
                waits = await client.read_flow_run(run_id)
                assert waits.state
                assert (waits.state.message or "").startswith("Waiting for the store since ")
            await asyncio.to_thread(workers.wait_for, str(run_id), "Completed")
            return await client.read_flow_run(run_id)

    run = asyncio.run(_run())

    archive = archive_of("process-1")
    assert (archive.state, archive.cause) == ("completed", None)
    assert open_numbers(DerivedCode.SYSTEM_AWAY) == {}
    assert [archive.runs[0].state, archive.runs[-1].state] == ["AwaitingRetry", "Completed"]
    assert {each.flow_run_id for each in archive.runs} == {str(run.id)}


def test_archive_waits_for_clamav_and_is_completed_when_it_is_back(
    configure: Configure, sqlite_installation: Settings
) -> None:
    with socket.socket() as taken:  # a port on which nothing listens as long as this socket has it
        taken.bind(("127.0.0.1", 0))
        configure(clamd=f"127.0.0.1:{taken.getsockname()[1]}")
        delivery = received("process-1", sample_body("process-1"))

        async def _run() -> None:
            async with get_client() as client, workers.worker_here(client) as deployment_id:
                await _started(client, deployment_id, "process-1", delivery.receipt_id)
                cause = await asyncio.to_thread(_cause, "process-1")
                assert (cause.code, cause.task) == ("CLAMAV_AWAY", "persist-files")

        asyncio.run(_run())

    assert open_numbers(DerivedCode.SYSTEM_AWAY) == {"ClamAV": 1}


def test_archive_that_has_waited_for_three_days_fails_and_waits_no_longer(
    configure: Configure, sqlite_installation: Settings
) -> None:
    delivery = received("process-1", sample_body("process-1"))
    since = datetime.now(UTC) - timedelta(days=3, hours=1)

    async def _run() -> FlowRun:
        parameters = {"reference": "process-1", "receipt_id": delivery.receipt_id}
        async with get_client() as client:
            run = await client.create_flow_run(process_archive, parameters=parameters)
            with writing() as session:
                waiting.begin_within(session, _waiting_row(str(run.id), delivery.receipt_id, since))
            await run_flow_async(process_archive, flow_run=run, parameters=parameters, return_type="state")
            return await client.read_flow_run(run.id)

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        configure(clamd=f"127.0.0.1:{taken.getsockname()[1]}")
        run = asyncio.run(_run())

    archive = archive_of("process-1")
    assert (run.state_name, archive.state) == ("Failed", "failed")
    assert archive.cause
    assert archive.cause.code == "CLAMAV_AWAY"
    assert [(each.state, each.failed_task) for each in archive.runs] == [("Failed", "persist-files")]
    assert open_numbers(DerivedCode.SYSTEM_AWAY) == {}


def _waiting_row(flow_run_id: str, receipt_id: str, since: datetime) -> WaitingRow:
    return WaitingRow(
        flow_run_id=flow_run_id,
        reference="process-1",
        receipt_id=receipt_id,
        waits_for=System.CLAMAV,
        since=since,
        attempts=300,
    )

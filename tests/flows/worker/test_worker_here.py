"""The worker inside the test's process, so that a test can act between its steps."""

import asyncio

import pytest
from prefect.client.orchestration import get_client
from sqlmodel import delete

from adapters.database.transactions import writing
from adapters.tables.runs import leases
from models.access import CELLAR
from models.errors import Transient
from models.search import SearchEntryRow, SearchFacetRow
from models.views.archives.archives import ArchiveQuery
from services import derived
from services.views import archive_list
from tests.conftest import wait_until
from tests.flows.conftest import received
from tests.flows.workers import state_of, wait_for, worker_here
from tests.records import registered
from tests.samples import sample_body


@pytest.mark.usefixtures("downstream")
def test_worker_whose_loop_ends_hands_back_its_runs() -> None:
    leases.take(["process-1"], "another", 300)
    receipt_id = received("process-1", sample_body("process-1")).receipt_id

    async def _run() -> str:
        async with get_client() as client, worker_here(client) as archive:
            parameters = {"reference": "process-1", "receipt_id": receipt_id}
            flow_run = await client.create_flow_run_from_deployment(archive, parameters=parameters)
            await asyncio.to_thread(wait_for, str(flow_run.id), "Running")
            next(each for each in asyncio.all_tasks() if "_repeat" in str(each.get_coro())).cancel()
            await asyncio.to_thread(wait_until, lambda: state_of(str(flow_run.id)) == "AwaitingRetry")
            return str(flow_run.id)
        raise AssertionError("it went on")

    with pytest.raises(Transient, match="has ended unexpectedly"):
        asyncio.run(_run())

    assert leases.claimed() == set()


@pytest.mark.usefixtures("downstream")
def test_worker_fills_in_what_archives_lack_beside_its_runs() -> None:
    for number in range(250):
        registered(f"p-{number}", minute=number)
    with writing() as session:
        session.execute(delete(SearchFacetRow))
        session.execute(delete(SearchEntryRow))
    derived.begin()
    assert derived.lacking() == 250

    async def _run() -> None:
        async with get_client() as client, worker_here(client):
            await asyncio.to_thread(wait_until, lambda: derived.lacking() == 0)

    asyncio.run(_run())

    assert [each.reference for each in archive_list.page(ArchiveQuery(reference="p-249"), CELLAR).items] == ["p-249"]

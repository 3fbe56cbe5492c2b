"""The work pool that cellar creates if it is missing."""

import asyncio
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import WorkPool
from prefect.context import AsyncClientContext
from prefect.workers.process import ProcessWorker

from adapters.settings.environment import POOL
from flows.worker.pool import set_up


@pytest.mark.usefixtures("prefect")
def test_pool_has_no_template_which_the_server_would_check_for_each_run() -> None:
    async def made() -> WorkPool:
        # As in a worker, Prefect's own functions share a client, which they do not close.
        async with AsyncClientContext() as context:
            await set_up(context.client)
            return await context.client.read_work_pool(POOL)

    assert asyncio.run(made()).base_job_template == {}


def test_stock_worker_serves_a_pool_without_template_as_a_pool_with_its_own() -> None:
    worker = ProcessWorker(POOL)

    worker._record_work_pool_snapshot(WorkPool(name=POOL, type=ProcessWorker.type, default_queue_id=uuid4()))

    assert worker.work_pool.base_job_template == ProcessWorker.get_default_base_job_template()

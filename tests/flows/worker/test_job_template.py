"""The work pool that cellar creates if it is missing."""

import asyncio

from prefect.workers.process import ProcessJobConfiguration, ProcessWorker

from flows.worker.pool import _job_template


def test_stock_worker_starts_runs_of_our_pool_as_of_a_stock_pool(prefect: str) -> None:
    async def configurations() -> list[ProcessJobConfiguration]:
        templates = _job_template(), ProcessWorker.get_default_base_job_template()
        return [await ProcessJobConfiguration.from_template_and_values(each, {}) for each in templates]

    of_our_pool, of_stock_pool = asyncio.run(configurations())

    assert of_our_pool == of_stock_pool


def test_pool_has_every_variable_of_a_stock_pool() -> None:
    of_our_pool, of_stock_pool = _job_template(), ProcessWorker.get_default_base_job_template()

    assert of_our_pool["job_configuration"] == of_stock_pool["job_configuration"]
    assert of_our_pool["variables"]["properties"].keys() == of_stock_pool["variables"]["properties"].keys()

"""The work pool, as cellar makes it where it is missing."""

import asyncio

from prefect.workers.process import ProcessJobConfiguration, ProcessWorker

from flows.worker.pool import _job_template


def test_stock_worker_starts_a_run_of_this_pool_as_one_of_its_own(prefect: str) -> None:
    async def configurations() -> list[ProcessJobConfiguration]:
        templates = _job_template(), ProcessWorker.get_default_base_job_template()
        return [await ProcessJobConfiguration.from_template_and_values(each, {}) for each in templates]

    of_this_pool, its_own = asyncio.run(configurations())

    assert of_this_pool == its_own


def test_pool_takes_every_variable_of_a_stock_workers_own() -> None:
    of_this_pool, its_own = _job_template(), ProcessWorker.get_default_base_job_template()

    assert of_this_pool["job_configuration"] == its_own["job_configuration"]
    assert of_this_pool["variables"]["properties"].keys() == its_own["variables"]["properties"].keys()

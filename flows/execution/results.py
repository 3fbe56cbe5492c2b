"""Keeps the results of tasks in the database, where every worker finds them, so that Retry resumes at the failed task.

They are small, and a bucket would take four requests for each. They are removed when the run is Completed and its
messages are confirmed, or when nobody has retried the run for CELLAR_PREFECT_RETENTION_DAYS: then Prefect has removed
the run too. After the loss of the database, Retry repeats all tasks and comes to the same end.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Any, ClassVar

from prefect import Flow, get_run_logger, runtime
from prefect.client.schemas.objects import FlowRun, State
from prefect.filesystems import WritableFileSystem

from adapters.platform.cancellation import in_thread
from adapters.settings.settings import settings
from adapters.tables.runs import runs, task_results
from domain.messages.summaries import UNDELIVERED
from models.errors import Transient

RESULTS = "cellar-store/results"


class StoredResults(WritableFileSystem):
    """A Prefect storage block over cellar's database. It uses the settings of the process.

    Prefect's names of results do not name the run; those of errors are random. So results are kept by run. Outside of a
    run, as when Prefect refuses the parameters, an error belongs to no run, and the nightly flow removes it.
    """

    _block_type_name: ClassVar[str] = "Cellar store"
    _block_type_slug: ClassVar[str] = "cellar-store"

    async def aread_path(self, path: str) -> bytes:
        is_first = runtime.flow_run.run_count == 1  # then there is no result yet, of which each task would ask
        found = None if is_first else await asyncio.to_thread(task_results.find, str(runtime.flow_run.id), path)
        if found is None:
            raise FileNotFoundError(f"there is no result {path}")
        return found

    async def awrite_path(self, path: str, content: bytes) -> None:
        await asyncio.to_thread(task_results.keep, str(runtime.flow_run.id), path, content)

    # Prefect's asynchronous engine uses the two methods above; the base class demands these names too.
    async def read_path(self, path: str) -> bytes:
        return await self.aread_path(path)

    async def write_path(self, path: str, content: bytes) -> None:
        await self.awrite_path(path, content)


async def remove_results(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Remove the results of a run that is Completed in Prefect. A hook, which stock workers call too.

    A run that is Undelivered keeps them, so that Retry repeats no task.
    """
    if state.name != UNDELIVERED:
        await remove_results_of(str(flow_run.id))


async def remove_results_of(flow_run_id: str) -> None:
    """Remove the results of a run. Results that cannot be removed now are removed by the nightly flow."""
    try:
        await in_thread(task_results.remove, [flow_run_id])
    except Transient as error:
        get_run_logger().warning("The results of the run are not removed; the nightly flow does so later: %s", error)


def remove_forgotten_results(now: datetime) -> int:
    """Remove the results of runs that have begun no attempt for CELLAR_PREFECT_RETENTION_DAYS.

    Return the number of runs.

    A run that our history does not know resumes nothing: its results are errors.
    """
    since = now - timedelta(days=settings().prefect_retention_days)
    kept = task_results.flow_run_ids()
    forgotten = kept - runs.begun_since(kept, since)
    task_results.remove(forgotten)
    return len(forgotten)


async def saved_block() -> StoredResults:
    """Return the block as the Prefect server knows it. A flow that has only its name asks for it in each run."""
    block: StoredResults = await StoredResults.aload(RESULTS.partition("/")[2])
    return block


async def save_block() -> None:
    """Save the block on the Prefect server. A step of deployments, see `prefect.yaml`.

    A block that is not saved loses its results without failing the run.
    """
    await StoredResults().save(RESULTS.partition("/")[2], overwrite=True)

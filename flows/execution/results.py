"""Where the results of tasks lie: in the store, where every worker finds them and Retry resumes at the failed task.

Each run has a folder. It goes when the run is Completed, or when nobody has retried the run for a month: after that
Retry does everything again, and comes to the same end.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Any, ClassVar

from prefect import Flow, get_run_logger, runtime
from prefect.client.schemas.objects import FlowRun, State
from prefect.filesystems import WritableFileSystem

from adapters.database import runs
from adapters.files.store import RESULTS_FOLDER, result_key, store
from adapters.platform.cancellation import checkpoint, in_thread
from models.errors import Transient

RESULTS = "cellar-store/results"
_RETRIED_WITHIN = timedelta(days=30)


class StoredResults(WritableFileSystem):
    """A Prefect storage block over the store. It has no settings of its own: they are the process's."""

    _block_type_name: ClassVar[str] = "Cellar store"
    _block_type_slug: ClassVar[str] = "cellar-store"

    async def aread_path(self, path: str) -> bytes:
        return await asyncio.to_thread(store().read_bytes, _key(path))

    async def awrite_path(self, path: str, content: bytes) -> None:
        await asyncio.to_thread(store().overwrite_bytes, content, _key(path))

    # Prefect's asynchronous engine uses the two above; these are the names that the base class demands.
    async def read_path(self, path: str) -> bytes:
        return await self.aread_path(path)

    async def write_path(self, path: str, content: bytes) -> None:
        await self.awrite_path(path, content)


def _key(path: str) -> str:
    """Return where a result of the current run lies. Prefect's names tell no run; those of errors are random.

    Outside of a run, as where Prefect refuses its parameters, an error lies in a folder that the next night removes.
    """
    return result_key(f"{runtime.flow_run.id}/{path}")


async def remove_results(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Remove the results of a run that Prefect knows to be Completed. A hook, which stock workers call too.

    What is not removed now is removed by the nightly flow.
    """
    try:
        await in_thread(store().remove_folder, result_key(str(flow_run.id)))
    except Transient as error:
        get_run_logger().warning("The results of the run are left for a month: %s", error)


def remove_forgotten_results(now: datetime) -> int:
    """Remove the results of runs of which no attempt has begun for a month, and return of how many runs or results.

    A run that is in no history of ours resumes nothing: its results are errors, or from before runs had folders.

    Raises:
        Transient: store or database does not answer.
    """
    found = {key.split("/")[1]: key.count("/") > 1 for key, _ in store().listed(RESULTS_FOLDER)}
    # Asked after the list: a run is on record before it has a result.
    forgotten = found.keys() - runs.begun_since(found, now - _RETRIED_WITHIN)
    for name in forgotten:
        checkpoint()
        remove = store().remove_folder if found[name] else store().remove
        remove(result_key(name))
    return len(forgotten)


async def saved_block() -> StoredResults:
    """The block as the Prefect server knows it. A flow that only knows its name asks for it in each run."""
    block: StoredResults = await StoredResults.aload(RESULTS.partition("/")[2])
    return block


async def save_block() -> None:
    """Make the block known to the Prefect server. A step of every deployment, see `prefect.yaml`.

    A flow takes only saved blocks; an unsaved one loses its results without failing the run.
    """
    await StoredResults().save(RESULTS.partition("/")[2], overwrite=True)

"""Where the results of tasks lie: in the store, where every worker finds them and Retry resumes at the failed task."""

import asyncio
from typing import ClassVar

from prefect.filesystems import WritableFileSystem

from adapters.files import store

RESULTS = "cellar-store/results"


class StoredResults(WritableFileSystem):
    """A Prefect storage block over the store. It has no settings of its own: they are the process's."""

    _block_type_name: ClassVar[str] = "Cellar store"
    _block_type_slug: ClassVar[str] = "cellar-store"

    async def aread_path(self, path: str) -> bytes:
        return await asyncio.to_thread(store.read_bytes, store.result_key(path))

    async def awrite_path(self, path: str, content: bytes) -> None:
        await asyncio.to_thread(store.overwrite_bytes, content, store.result_key(path))

    # Prefect's asynchronous engine uses the two above; these are the names that the base class demands.
    async def read_path(self, path: str) -> bytes:
        return await self.aread_path(path)

    async def write_path(self, path: str, content: bytes) -> None:
        await self.awrite_path(path, content)


async def saved_block() -> StoredResults:
    """The block as the Prefect server knows it. A flow that only knows its name asks for it in each run."""
    block: StoredResults = await StoredResults.aload(RESULTS.partition("/")[2])
    return block


async def save_block() -> None:
    """Make the block known to the Prefect server. A step of every deployment, see `prefect.yaml`.

    A flow takes only saved blocks; an unsaved one loses its results without failing the run.
    """
    await StoredResults().save(RESULTS.partition("/")[2], overwrite=True)

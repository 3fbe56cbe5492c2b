"""The flow `import-archives`: archives what `cellar import` took in, many archives in one run.

So an archive costs no run and no task of Prefect. Nobody is notified: years of old archives would flood the endpoints.
"""

import asyncio
import time
from collections.abc import Iterable
from itertools import groupby
from uuid import uuid4

from adapters.database.transactions import pages
from adapters.files import bucket
from adapters.inbox import inbox
from adapters.platform.cancellation import in_thread
from flows.execution.engine import done_by
from flows.execution.lease import sole_work_on_free
from flows.execution.tasks import counted, name_run, of_cellar
from models.runs.receipt import Delivery
from services.imports import Drained, archive

_AT_ONCE = 32
_THREADS = 2  # one waits for the disk while the other works; more only wait for the interpreter
_LONGEST_S = 900
"""After which a run ends, so that its name tells how far the import is. The next run goes on within a minute."""
_NO_PROCESS = ""
"""The lease of the run that imports. No process has this reference."""


@of_cellar("import-archives", "import archives")
async def import_archives() -> None:
    """Archive what `cellar import` took in. A killed run is continued by the next.

    What fails for good gets a run of its own. While store or database does not answer, the run fails, and the next run
    goes on.
    """
    await name_run(await done_by(drain))


async def drain() -> list[str]:
    """Archive what is imported, as `import_archives` says, and return what that did. One run at a time does so."""
    names = await in_thread(inbox.imported_names)
    if not names:
        return []
    holder, ends_s, drained = f"{uuid4()}:1", time.monotonic() + _LONGEST_S, Drained()
    with bucket.patient():
        async with sole_work_on_free({_NO_PROCESS}, holder) as free:
            for page in pages(names if free else (), _AT_ONCE):
                before = drained.archived + drained.queued
                for each in await _archive(await in_thread(list, inbox.imported(page)), holder):
                    drained.add(each)
                is_stuck = drained.away and drained.archived + drained.queued == before
                if is_stuck or time.monotonic() >= ends_s:
                    break
    did = (("archived", drained.archived), ("left to runs of their own", drained.queued))
    told = [f"{verb} {counted(number, 'archive')}" for verb, number in did if number]
    if drained.away and not told:
        raise drained.away
    return told


async def _archive(deliveries: Iterable[Delivery], holder: str) -> list[Drained]:
    """Archive deliveries, those of a process one after the other. A process that a run works on is left for later."""
    in_order = sorted(deliveries, key=lambda each: (each.reference, each.delivery_id))
    by_process = {reference: list(its) for reference, its in groupby(in_order, lambda each: each.reference)}
    threads = asyncio.Semaphore(_THREADS)

    async def _in_turn(reference: str) -> Drained:
        async with threads:
            return await in_thread(archive, by_process[reference])

    async with sole_work_on_free(by_process, holder) as free, asyncio.TaskGroup() as group:
        working = [group.create_task(_in_turn(each)) for each in sorted(free)]
    return [each.result() for each in working]

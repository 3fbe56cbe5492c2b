"""Ends waits whose run does not come back: a person has cancelled or deleted it, or Prefect has lost its database."""

import asyncio

from adapters.peers import prefect_api
from adapters.tables.runs import waiting
from models.runs.run import Trigger
from services.triggering.trigger import start_run


async def end_lost_waits() -> int:
    """Start the next run of each archive whose waiting run is gone. Forget the wait if a person has cancelled the run.

    No worker executes a run that waits, so nobody records its end. The sweep of the inbox misses the runs that wait for
    an endpoint, because their receipts are complete and have left the inbox.

    Returns:
        How many waiting runs were gone.

    Raises:
        Transient: the database or Prefect does not answer.
    """
    asked = set(await asyncio.to_thread(waiting.by_run))
    gone = asked - await prefect_api.on_their_way(asked)
    # Read again after Prefect's answer, because a run records its end before Prefect has it.
    rows = await asyncio.to_thread(waiting.by_run)
    lost = [rows[each] for each in gone if each in rows]
    for row in lost:
        await start_run(row.reference, row.receipt_id, Trigger.SWEEP)
        await asyncio.to_thread(waiting.remove, row.flow_run_id)
    return len(lost)

"""Starts the re-runs that people ask for."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from adapters.peers.prefect_api import run_url
from models.people.action import ActionKind
from models.runs.run import Trigger
from models.views.archives.archives import RerunStarted
from services.people.actions import record
from services.receipts.lookup import latest_receipt_id
from services.triggering.trigger import start_run


async def rerun(references: Sequence[str], by: str) -> list[RerunStarted]:
    """Run the latest receipt of each process again, and return the runs in the order of `references`.

    Every reference is checked before the first run starts. A run that is already on its way is returned. The timelines
    of the processes say who asked for it.

    Raises:
        Refused: no archive of one of the processes was received.
        Transient: the database or Prefect does not answer.
    """
    receipt_ids = [await asyncio.to_thread(latest_receipt_id, reference) for reference in references]
    await asyncio.to_thread(record, references, ActionKind.RERUN, by, datetime.now(UTC))
    return [await _start(*each) for each in zip(references, receipt_ids, strict=True)]


async def _start(reference: str, receipt_id: str) -> RerunStarted:
    run = await start_run(reference, receipt_id, Trigger.RERUN)
    return RerunStarted(reference=reference, flow_run_id=run.flow_run_id, state=run.state, url=run_url(run.flow_run_id))

"""Starts the re-runs that people ask for, also if Prefect is away now; and the next run of a wait whose run is gone."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog

from adapters.database.transactions import writing
from adapters.peers import prefect_api
from adapters.peers.prefect_api import run_url
from adapters.store import happened
from adapters.tables.runs import runs, waiting
from models.errors import Conflict, System, Transient
from models.people import ActionKind
from models.runs.receipt import RunState, Trigger, WaitingRow
from models.views.archives.archives import RerunStarted
from services.people.actions import record_within
from services.receipts import latest_receipt_id
from services.triggering.trigger import start_run

log = structlog.get_logger()


async def rerun(references: Sequence[str], by: str) -> list[RerunStarted]:
    """Run the latest receipt of each process again, and return the runs in the order of `references`.

    Every reference is checked before the first run starts. A run that is already on its way is returned. The timelines
    of the processes say who asked for it. While Prefect is away, the re-runs wait for `start_asked`.

    Raises Refused if no archive of one of the processes was received.
    """
    receipt_ids = [await asyncio.to_thread(latest_receipt_id, reference) for reference in references]
    return [
        await _started(await asyncio.to_thread(_ask, *each, by, datetime.now(UTC)))
        for each in zip(references, receipt_ids, strict=True)
    ]


async def start_asked() -> int:
    """Start the re-runs that were asked for while Prefect was away, or by an asker that was killed.

    Returns:
        How many were started. A re-run that Prefect cannot take is given up and logged: a person must examine it.
    """
    asked = await asyncio.to_thread(waiting.asked)
    return sum([await _replaced(each, Trigger.RERUN) for each in asked])


async def end_lost_waits() -> int:
    """End the waits whose run does not come back: a person has cancelled or deleted it, or Prefect has lost it.

    Start the next run of each such archive; a run that a person has cancelled has none. No worker executes a run that
    waits, so nobody records its end. The sweep of the inbox misses the runs that wait for an endpoint, because their
    receipts are complete and have left the inbox.

    Returns:
        How many waiting runs were gone. Where Prefect cannot take the next run, it is given up as by `start_asked`.
    """
    asked = set(await asyncio.to_thread(waiting.by_run))
    gone = asked - await prefect_api.on_their_way(asked)
    # Read again after Prefect's answer, because a run records its end before Prefect has it.
    rows = await asyncio.to_thread(waiting.by_run)
    lost = [rows[each] for each in gone if each in rows]
    for row in lost:
        await _replaced(row, Trigger.SWEEP)
    return len(lost)


async def _replaced(row: WaitingRow, why: Trigger) -> bool:
    """Start a run in place of a wait, unless another process was faster, and return whether it is started."""
    if await asyncio.to_thread(waiting.of_run, row.flow_run_id) is None:
        return False
    try:
        await _start(row, why)
    except Conflict as conflict:
        log.error("a run is not started", receipt_id=row.receipt_id, why=str(conflict))
        await asyncio.to_thread(waiting.remove, row.flow_run_id)
        return False
    return True


async def begun(asked: Sequence[RerunStarted], since: datetime) -> list[RerunStarted]:
    """Return re-runs that were asked for at `since`. Those that wait for Prefect are started if Prefect is back."""
    waits = {each.reference: each for each in await asyncio.to_thread(waiting.asked)}
    return [each if each.flow_run_id else await _begun(each, waits.get(each.reference), since) for each in asked]


async def _begun(asked: RerunStarted, row: WaitingRow | None, since: datetime) -> RerunStarted:
    """Return the run of a re-run that waited for Prefect. A run that another process has started is found once it has
    begun.
    """
    if row:
        return await _started(row)
    if flow_run_id := await asyncio.to_thread(runs.newest_since, asked.reference, since):
        return asked.model_copy(update={"flow_run_id": flow_run_id, "url": run_url(flow_run_id)})
    return asked


def _ask(reference: str, receipt_id: str, by: str, now: datetime) -> WaitingRow:
    """Record in one transaction who asked for a re-run, and that it waits to be started."""
    with writing() as session:
        record_within(session, [reference], ActionKind.RERUN, by, now)
        asked = waiting.ask_within(session, reference, receipt_id, now)
    happened.keep()
    return asked


async def _started(row: WaitingRow) -> RerunStarted:
    try:
        return await _start(row, Trigger.RERUN)
    except Transient as error:
        if error.system is not System.PREFECT:
            raise
        return RerunStarted(reference=row.reference, flow_run_id=None, state=RunState.AWAITING_RETRY, url=None)


async def _start(row: WaitingRow, why: Trigger) -> RerunStarted:
    run = await start_run(row.reference, row.receipt_id, why)
    await asyncio.to_thread(waiting.remove, row.flow_run_id)
    url = run_url(run.flow_run_id)
    return RerunStarted(reference=row.reference, flow_run_id=run.flow_run_id, state=run.state, url=url)

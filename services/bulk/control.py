"""Pauses, resumes and aborts bulk re-runs, and starts their drivers again."""

import asyncio
from datetime import UTC, datetime

import structlog

from adapters.peers import prefect_api
from adapters.tables.bulk import bulk_reruns
from models.runs.bulk import BulkRow, BulkState
from services.bulk.planning import action, get, start_driver, wrong_state

log = structlog.get_logger()

_CANCELLED = "Cancelled"


def pause(bulk_id: str, by: str) -> None:
    """Start no further archive of a bulk re-run until it is resumed. Runs that are on their way end as usual.

    Raises:
        Refused: it is unknown, or not running.
        Transient: the database does not answer.
    """
    _change(bulk_id, (BulkState.RUNNING,), BulkState.PAUSED, by, "paused")


def resume(bulk_id: str, by: str) -> None:
    """Go on with a paused bulk re-run. Raises as `pause` does."""
    _change(bulk_id, (BulkState.PAUSED,), BulkState.RUNNING, by, "resumed")


def abort(bulk_id: str, by: str) -> None:
    """End a bulk re-run, or discard a plan. Archives that are not started stay untouched. Raises as `pause` does."""
    before = (BulkState.PLANNED, BulkState.RUNNING, BulkState.PAUSED)
    _change(bulk_id, before, BulkState.ABORTED, by, "aborted")


def _change(bulk_id: str, before: tuple[BulkState, ...], after: BulkState, by: str, what: str) -> None:
    get(bulk_id)
    now = datetime.now(UTC)
    if not bulk_reruns.change(bulk_id, before, after, action(by, what, now), now):
        raise wrong_state(bulk_id, *before)
    log.info("bulk re-run", bulk_id=bulk_id, what=what)


async def restart_drivers() -> int:
    """Start drivers for bulk re-runs whose flow run has ended early or is unknown to Prefect. Return their number.

    A driver that a person cancelled while no worker executed it aborts its bulk re-run.

    Raises:
        Transient: the database or Prefect does not answer.
    """
    unended = await asyncio.to_thread(bulk_reruns.in_states, (BulkState.RUNNING, BulkState.PAUSED))
    known = await prefect_api.known([each.flow_run_id for each in unended if each.flow_run_id])
    restarted = 0
    for row in unended:
        driver = known.get(row.flow_run_id or "")
        if driver is not None and driver.state == _CANCELLED:
            await asyncio.to_thread(_abort_cancelled, row)
        elif driver is None or driver.ended:
            await start_driver(row.id)
            restarted += 1
    return restarted


def _abort_cancelled(row: BulkRow) -> None:
    now = datetime.now(UTC)
    before = (BulkState.RUNNING, BulkState.PAUSED)
    bulk_reruns.change(row.id, before, BulkState.ABORTED, action("prefect", "aborted", now), now)

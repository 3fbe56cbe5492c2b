"""Drives a confirmed bulk re-run, step by step, from the database. A driver that is killed is continued by the next."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from adapters.peers import prefect_api
from adapters.peers.prefect_api import FlowRun
from adapters.tables.bulk import bulk_items, bulk_reruns
from adapters.tables.runs import receipts
from domain.bulk.decisions import Flight, end_of, room, skipped
from domain.runs import CANCELLED
from models.archive.archive import State
from models.errors import Conflict
from models.runs.bulk import BulkItemRow, BulkState, ItemState, Skipped
from models.runs.run import RunState, Trigger
from services.bulk.planning import get
from services.bulk.settling import Settled, settle
from services.triggering.trigger import record_ended, start_run

log = structlog.get_logger()

_SEEN_AT_ONCE = 200
_LOST_AFTER = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a bulk re-run stands after a step. `is_over`: this driver has nothing left to do."""

    state: BulkState
    is_over: bool
    has_moved: bool


async def step(bulk_id: str, driver: str) -> Standing:
    """Record what became of the started archives, and start further archives while there is room.

    Args:
        driver: the flow run that calls. A flow run that is no longer the driver does nothing.

    Raises:
        Refused: there is no such bulk re-run.
        Transient: the database or Prefect does not answer.
    """
    row = await asyncio.to_thread(get, bulk_id)
    state = BulkState(row.state)
    if row.flow_run_id != driver or state is BulkState.DONE:
        return Standing(state, is_over=True, has_moved=False)
    settled = await _settle(bulk_id)
    if state is BulkState.ABORTED:
        return Standing(state, is_over=not settled.aloft, has_moved=bool(settled.ended))
    for aborted in await asyncio.to_thread(bulk_items.aborted_in_flight):
        await _settle(aborted)
    started, is_exhausted = await _start_next(bulk_id) if state is BulkState.RUNNING else (0, False)
    if is_exhausted and not settled.aloft:
        is_over = await asyncio.to_thread(
            bulk_reruns.change, bulk_id, (BulkState.RUNNING,), BulkState.DONE, None, datetime.now(UTC)
        )
        return Standing(BulkState.DONE if is_over else state, is_over, has_moved=True)
    return Standing(state, is_over=False, has_moved=bool(started or settled.ended))


async def complete_aborted() -> None:
    """Record what became of the started archives of aborted bulk re-runs, whose drivers are mostly gone.

    Such archives would keep their places, and no later bulk re-run could start an archive.

    Raises:
        Transient: the database or Prefect does not answer.
    """
    for bulk_id in await asyncio.to_thread(bulk_items.aborted_in_flight):
        await _settle(bulk_id)
        await settle_lost(bulk_id)


async def settle_lost(bulk_id: str) -> None:
    """Ask Prefect about runs that take long: a run may have been cancelled before it began, or be gone.

    Raises:
        Transient: the database or Prefect does not answer.
    """
    now = datetime.now(UTC)
    old = [
        each
        for each in await asyncio.to_thread(bulk_items.flights, bulk_id)
        if each.flow_run_id and each.asked_at and each.asked_at < now - _LOST_AFTER and end_of(each) is None
    ]
    known = await prefect_api.known([each.flow_run_id for each in old if each.flow_run_id])
    lost = {each.position for each in old if (run := known.get(each.flow_run_id or "")) is None or run.ended}
    # Read again: most of these runs have ended in between, and the history knows how.
    for flight in await asyncio.to_thread(bulk_items.flights, bulk_id):
        if flight.position in lost and end_of(flight) is None:
            await _settle_lost(bulk_id, flight, known.get(flight.flow_run_id or ""))


async def _settle(bulk_id: str) -> Settled:
    """Record the ends of started archives, and ask again for the runs whose request was interrupted."""
    settled = await asyncio.to_thread(settle, bulk_id, datetime.now(UTC))
    for flight in settled.aloft:
        if flight.flow_run_id is None:
            await _ask_for_run(bulk_id, flight)
    return settled


async def _start_next(bulk_id: str) -> tuple[int, bool]:
    """Start as many queued archives as there is room for, and skip archives that no longer need a run.

    Returns:
        How many runs were asked for, and whether all archives are started.
    """
    now = datetime.now(UTC)
    in_flight = await asyncio.to_thread(bulk_items.in_flight, now)
    free = room(in_flight, await asyncio.to_thread(bulk_items.new_archives, now))
    if not free:
        return 0, False
    queued = await asyncio.to_thread(bulk_items.next_queued, bulk_id, _SEEN_AT_ONCE)
    reasons = {item.position: skipped(State(item.was), state) for item, state in queued}
    if any(reasons.values()):
        await asyncio.to_thread(bulk_items.skip, bulk_id, {key: why for key, why in reasons.items() if why}, now)
    chosen = [item for item, _ in queued if not reasons[item.position]][:free]
    await asyncio.gather(*(_start(item, now) for item in chosen))
    return len(chosen), not queued


async def _start(item: BulkItemRow, now: datetime) -> None:
    """Start the run of a queued archive: of its newest receipt, which may have arrived since the list was frozen."""
    place = item.bulk_id, item.position
    receipt_id = await asyncio.to_thread(receipts.newest_receipt_id, item.reference)
    if receipt_id is None:  # an archive has a receipt
        return
    if await asyncio.to_thread(bulk_items.mark_started, *place, receipt_id, now):
        flight = Flight(item.position, item.reference, receipt_id, State(item.was), now, None, None, None)
        await _ask_for_run(item.bulk_id, flight)


async def _ask_for_run(bulk_id: str, flight: Flight) -> None:
    """Ask for the run of a started archive. Asked twice, Prefect returns the same run."""
    repeats, place = flight.was is State.COMPLETED, (bulk_id, flight.position)
    try:
        run = await start_run(flight.reference, flight.receipt_id, Trigger.BULK, repeats=repeats)
    except Conflict as conflict:
        log.error("not started; a person must examine it", receipt_id=flight.receipt_id, why=str(conflict))
        await asyncio.to_thread(bulk_items.end, *place, ItemState.FAILED, datetime.now(UTC))
        return
    if run.ended:  # another run completed the receipt in between
        ended = ItemState.SKIPPED, datetime.now(UTC)
        await asyncio.to_thread(bulk_items.end, *place, *ended, skipped=Skipped.COMPLETED_SINCE)
        return
    await asyncio.to_thread(bulk_items.set_run, bulk_id, flight.position, run.flow_run_id)


async def _settle_lost(bulk_id: str, flight: Flight, run: FlowRun | None) -> None:
    """Settle an archive whose run has ended without our history, or is gone from Prefect.

    What a person cancelled stays as it is. Every other run is asked for again; its number of attempts does not grow
    without end, since each request counts the run before as ended.
    """
    log.warning("the run of an archive was lost", flow_run_id=flight.flow_run_id, state=run.state if run else None)
    if run is None or run.state != RunState.CANCELLED:
        await _ask_for_run(bulk_id, flight)
        return
    now = datetime.now(UTC)
    await record_ended(run, flight.reference, flight.receipt_id, Trigger.BULK)
    await asyncio.to_thread(receipts.set_failed, flight.receipt_id, CANCELLED, now)
    await asyncio.to_thread(bulk_items.end, bulk_id, flight.position, ItemState.FAILED, now)

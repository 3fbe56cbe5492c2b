"""Registers deliveries and starts their runs. Every step may be repeated and then changes nothing."""

import asyncio
from datetime import UTC, datetime, timedelta

import structlog

from adapters.database import receipts, runs
from adapters.database.receipts import Registration
from adapters.inbox import inbox
from adapters.peers import prefect_api
from adapters.peers.prefect_api import FlowRun
from adapters.store import history
from adapters.store.requests import stored_request
from models.archive.archive import State
from models.errors import Conflict, Locked
from models.runs.receipt import Delivery
from models.runs.run import RunRow, RunState, Trigger
from services.receipts.leaving import leave_inbox

log = structlog.get_logger()

_ANNOUNCED_WITHIN = timedelta(seconds=5)
_MOST_ATTEMPTS_AT_ONCE = 100
_not_mended: set[str] = set()
"""The runs that are known to have left an archive damaged. To read it again at each sweep would hold up the others."""
_locked: set[str] = set()
"""The receipts that are known to wait for the key of their archive. That is told once."""


async def untriggered() -> list[Delivery]:
    """Return what waits in the inbox without a run, and what is complete and has not left, oldest first.

    What came a moment ago is left to its announcement. However many wait, that is one query and no request to Prefect.

    Raises:
        Transient: the database or the inbox's bucket does not answer.
    """
    announced = datetime.now(UTC) - _ANNOUNCED_WITHIN
    return [
        delivery
        for delivery, known in await asyncio.to_thread(_waiting)
        if delivery.received_at < announced
        and (known is None or known.flow_run_id is None or known.state is State.COMPLETED)
    ]


async def forgotten() -> list[Delivery]:
    """Return what waits although its run has ended or Prefect knows it no longer, oldest first.

    What has failed is left: it waits for a person or for the next sending.

    Raises:
        Transient: the database, Prefect or the inbox's bucket does not answer.
    """
    awaited = [
        (delivery, known.flow_run_id)
        for delivery, known in await asyncio.to_thread(_waiting)
        if known and known.flow_run_id and known.state not in {State.COMPLETED, State.FAILED}
    ]
    on_their_way = await prefect_api.on_their_way({flow_run_id for _, flow_run_id in awaited})
    return [delivery for delivery, flow_run_id in awaited if flow_run_id not in on_their_way]


async def trigger(delivery: Delivery, why: Trigger) -> bool:
    """Register a sending and see that a run of its receipt is on its way, unless it is archived already, and whole.

    A receipt whose failure is on record waits for a person or for the next sending. One that only seems to be on its
    way is looked after: its run may have been killed, or Prefect may have forgotten it.

    Returns:
        Whether the sending has a run that it did not have.

    Raises:
        Transient: the database or Prefect does not answer; the sweep tries again.
    """
    registration = await asyncio.to_thread(receipts.register, delivery)
    if registration.state is State.COMPLETED:
        if await _needs_no_run(delivery, registration):
            return False
        log.error("a complete archive is damaged; this sending mends it", receipt_id=delivery.receipt_id)
        why = Trigger.RERUN
    if registration.flow_run_id and registration.state is State.FAILED:
        return False
    try:
        run = await start_run(delivery.reference, delivery.receipt_id, why)
    except Conflict as conflict:
        log.error("not triggered; a person has to look", receipt_id=delivery.receipt_id, why=str(conflict))
        return False
    if run.flow_run_id == registration.flow_run_id:
        return False
    state = await asyncio.to_thread(receipts.set_triggered, delivery.delivery_id, run.flow_run_id)
    if state is State.COMPLETED:  # the run was faster, and has kept the history without this
        await asyncio.to_thread(history.keep, delivery.reference, delivery.receipt_id)
    log.info("run started", receipt_id=delivery.receipt_id, flow_run_id=run.flow_run_id, trigger=why)
    return True


async def _needs_no_run(delivery: Delivery, registration: Registration) -> bool:
    """Let a sending of what is complete leave the inbox. What the store does not give back, a run mends; where that has
    failed, a person has to look, and where it is only locked, bring the key back.
    """
    if registration.flow_run_id in _not_mended:
        return True
    try:
        is_kept = await asyncio.to_thread(_is_kept, delivery)
    except Locked as locked:
        if delivery.receipt_id not in _locked:
            _locked.add(delivery.receipt_id)
            log.error("a complete archive is locked; it waits", receipt_id=delivery.receipt_id, why=str(locked))
        return True
    if is_kept:
        await asyncio.to_thread(history.keep, delivery.reference, delivery.receipt_id)
        await asyncio.to_thread(leave_inbox, delivery.receipt_id)
        log.info("sending of what is complete", receipt_id=delivery.receipt_id, outcome=registration.outcome)
        return True
    return registration.flow_run_id is not None and await _is_left_to(registration.flow_run_id, delivery.receipt_id)


async def _is_left_to(flow_run_id: str, receipt_id: str) -> bool:
    """Whether the run that was to mend an archive is on its way, or has failed. A lost one is followed by another."""
    if await prefect_api.on_their_way({flow_run_id}):
        return True
    if not await asyncio.to_thread(runs.has_failed, flow_run_id):
        return False
    log.error("a complete archive is damaged; its run has not mended it", receipt_id=receipt_id)
    _not_mended.add(flow_run_id)
    return True


async def start_run(reference: str, receipt_id: str, why: Trigger) -> FlowRun:
    """Start the next attempt at a receipt, or return the one on its way.

    Attempts are counted by the runs that have ended: while one is on its way, or is retried in Prefect, its number is
    its idempotency key, and Prefect returns that run. A run that Prefect knows to have ended and our history does not
    (its worker was killed) is put on record here. The sweep does not start again what a person has cancelled.

    Raises:
        Transient: the database or Prefect does not answer.
    """
    last = max(1, await asyncio.to_thread(runs.ended_runs, receipt_id))
    for attempt in range(last, last + _MOST_ATTEMPTS_AT_ONCE):
        run = await prefect_api.create_run(reference, receipt_id, attempt, why)
        if not run.ended:
            await asyncio.to_thread(receipts.set_awaited, receipt_id)
            return run
        if why is not Trigger.RERUN and await asyncio.to_thread(_is_complete, receipt_id):
            return run  # it has ended well while it was asked for
        await asyncio.to_thread(runs.record_unseen, _ended(run, reference, receipt_id, why))
        if run.state == RunState.CANCELLED and why is Trigger.SWEEP:
            await asyncio.to_thread(receipts.set_state, receipt_id, State.FAILED, datetime.now(UTC))
            return run
    raise Conflict(f"{_MOST_ATTEMPTS_AT_ONCE} runs of receipt {receipt_id} ended unseen; look at them in Prefect")


def _ended(run: FlowRun, reference: str, receipt_id: str, why: Trigger) -> RunRow:
    now = datetime.now(UTC)
    return RunRow(
        flow_run_id=run.flow_run_id,
        attempt=1,
        reference=reference,
        receipt_id=receipt_id,
        trigger=why,
        state=run.state,
        started_at=now,
        ended_at=now,
    )


def _is_kept(delivery: Delivery) -> bool:
    """Whether the store gives back what is about to leave the inbox.

    Raises:
        Locked: nobody can tell, for want of the archive's key.
    """
    try:
        stored = stored_request(delivery.reference, delivery.receipt_id)
        return stored is not None and stored.is_whole()
    except Locked:
        raise
    except Conflict:
        return False


def _is_complete(receipt_id: str) -> bool:
    return State(receipts.get(receipt_id).state) is State.COMPLETED


def _waiting() -> list[tuple[Delivery, Registration | None]]:
    """The deliveries that wait, oldest first, each with what the database knows of it."""
    deliveries = list(inbox.deliveries())
    known = receipts.registrations([delivery.delivery_id for delivery in deliveries])
    return [(delivery, known.get(delivery.delivery_id)) for delivery in deliveries]

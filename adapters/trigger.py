"""Registers sendings and starts their runs. Everything here may be done again at any time and then changes nothing."""

import asyncio
from datetime import UTC, datetime

import structlog

from adapters import inbox, prefect_api, receipts, runs
from adapters.prefect_api import FlowRun
from models.archive import State
from models.errors import Conflict
from models.receipt import Sending
from models.run import RunRow, RunState, Trigger

log = structlog.get_logger()

_MOST_ATTEMPTS_AT_ONCE = 100


async def trigger(sending: Sending, why: Trigger) -> None:
    """Register a sending and see that a run of its receipt is on its way, unless it is archived already.

    A receipt whose failure is on record waits for a person or for the next sending. One that only seems to be on its
    way is looked after: its run may have been killed, or Prefect may have forgotten it.

    Raises:
        Transient: the database or Prefect does not answer; the sweep tries again.
    """
    registration = await asyncio.to_thread(receipts.register, sending)
    if registration.state is State.COMPLETED:
        await asyncio.to_thread(leave_inbox, sending.receipt_id)
        log.info("sending of an archive that is complete", receipt_id=sending.receipt_id, outcome=registration.outcome)
    elif registration.flow_run_id is None or registration.state is not State.FAILED:
        run = await start_run(sending.reference, sending.receipt_id, why)
        if run.flow_run_id != registration.flow_run_id:
            await asyncio.to_thread(receipts.set_triggered, sending.sending_id, run.flow_run_id)
            log.info("run started", receipt_id=sending.receipt_id, flow_run_id=run.flow_run_id, trigger=why)


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


def leave_inbox(receipt_id: str) -> None:
    """Take a completed receipt out of the inbox. A sending that is not registered yet stays, to be registered."""
    for sending_id in receipts.sending_ids(receipt_id):
        inbox.remove_sending(sending_id)
    inbox.remove_body(receipt_id)

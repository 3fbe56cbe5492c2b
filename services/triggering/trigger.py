"""Registers deliveries and starts their runs. Every step is idempotent."""

import asyncio
import logging
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from adapters.inbox import inbox
from adapters.observation.log import bound
from adapters.observation.metrics import run_ended
from adapters.observation.tracing import TRACEPARENT, span
from adapters.peers import prefect_api
from adapters.peers.prefect_api import FlowRun
from adapters.store import tombstones
from adapters.store.objects import history
from adapters.store.objects.requests import stored_request
from adapters.store.tombstones import known_digest
from adapters.tables.archives import archives
from adapters.tables.runs import receipts, runs
from adapters.tables.runs.receipts import Registration
from domain.runs import CANCELLED
from models.archive.archive import State
from models.errors import Conflict, Locked, Refused, Transient, Unreadable
from models.runs.receipt import Delivery, RunRow, RunState, Trigger
from models.said import Sentence
from services.receipts import leave_again
from services.templates import form_tags

log = structlog.get_logger()

_ANNOUNCED_WITHIN = timedelta(seconds=5)
_MOST_ATTEMPTS_AT_ONCE = 100
_MOST_TOGETHER = 1_000
_not_repaired: set[str] = set()
"""The runs that left an archive damaged. Reading it again at each sweep would delay the other deliveries."""
_locked: set[str] = set()
"""The receipts that wait for the key of their archive. Each is logged once."""


async def untriggered(but: Collection[str] = (), *, even_new: bool = False) -> list[Delivery]:
    """Return the deliveries in the inbox that have no run or whose receipt is complete, oldest first.

    Deliveries of the last moments are left to their announcement. A delivery with a later time than now was accepted by
    a receiver with a wrong clock, and is not left. Any number of deliveries takes one query and no request to Prefect.

    Args:
        but: the ids of deliveries that are left out. Their records are not read.
        even_new: whether those of the last moments are returned too.

    Raises Transient if the database or the inbox's bucket does not answer.
    """
    now = datetime.now(UTC)
    found = {
        delivery_id
        for delivery_id, known in (await asyncio.to_thread(_waiting)).items()
        if known is None or known.flow_run_id is None or known.state is State.COMPLETED
    }
    deliveries = await asyncio.to_thread(inbox.these_deliveries, found.difference(but))
    return [each for each in deliveries if even_new or abs(now - each.received_at) > _ANNOUNCED_WITHIN]


async def forgotten() -> list[Delivery]:
    """Return the waiting deliveries whose run has ended or is no longer known to Prefect, oldest first.

    Failed receipts are left out: they wait for a person or for the next delivery.

    Raises Transient if the database, Prefect or the inbox's bucket does not answer.
    """
    awaited = {
        delivery_id: known.flow_run_id
        for delivery_id, known in (await asyncio.to_thread(_waiting)).items()
        if known and known.flow_run_id and known.state not in {State.COMPLETED, State.FAILED}
    }
    on_their_way = await prefect_api.on_their_way(set(awaited.values()))
    gone = {each for each, flow_run_id in awaited.items() if flow_run_id not in on_their_way}
    return await asyncio.to_thread(inbox.these_deliveries, gone)


def together(deliveries: Iterable[Delivery]) -> list[list[Delivery]]:
    """Return deliveries in groups of one receipt each, in the order of their first ones, 1,000 a group at most.

    A sender may repeat a request thousands of times. Of a group, the archive is checked once and its history kept once.
    """
    groups: list[list[Delivery]] = []
    open_groups: dict[str, list[Delivery]] = {}
    for delivery in deliveries:
        group = open_groups.get(delivery.receipt_id)
        if group is None or len(group) == _MOST_TOGETHER:
            group = open_groups[delivery.receipt_id] = []
            groups.append(group)
        group.append(delivery)
    return groups


async def trigger(delivery: Delivery, why: Trigger, again: Sequence[Delivery] = ()) -> bool:
    """Register a delivery and ensure that a run of its receipt is on its way, unless the receipt is archived and whole.

    A receipt with a recorded failure waits for a person or for the next delivery. A receipt that seems to be on its way
    is checked: its run may have been killed, or Prefect may have forgotten it. An error of this receipt alone delays no
    other receipt; each sweep logs it again.

    Args:
        again: further deliveries of the same receipt, which get the same run.

    Returns:
        Whether the deliveries have a new run.

    Raises:
        Transient: the database or Prefect does not answer; the sweep tries again.
    """
    about = {"receipt_id": delivery.receipt_id, "trigger": why}
    with (
        bound(delivery.reference, delivery.receipt_id),
        span("trigger", delivery.headers.get(TRACEPARENT), **about) as traced,
    ):
        try:
            flow_run_id = await _trigger([delivery, *again], why)
        except Exception as error:  # whatever is wrong with this receipt, the other receipts go on
            if isinstance(error, Transient) and not isinstance(error, Unreadable):
                raise
            # structlog's own trace would show values from payloads
            logging.getLogger(__name__).exception("receipt %s is not triggered", delivery.receipt_id)
            return False
        traced.note(flow_run_id=flow_run_id or "none")
        return flow_run_id is not None


async def _trigger(deliveries: Sequence[Delivery], why: Trigger) -> str | None:
    """Register deliveries of a receipt and return the run that they started, None if they need no new run.

    See `trigger`.
    """
    reference, receipt_id = deliveries[0].reference, deliveries[0].receipt_id
    digest = await asyncio.to_thread(known_digest, reference)
    try:
        registered = await asyncio.to_thread(receipts.register_all, deliveries, digest)
    except Refused as refused:
        if digest is None or refused.code != "ERASED":
            raise
        await asyncio.to_thread(_remove_returned, digest, deliveries)
        return None
    state, known = registered[-1].state, {each.flow_run_id for each in registered}
    if state is State.COMPLETED:
        if await _needs_no_run(deliveries, registered):
            return None
        if await asyncio.to_thread(archives.is_accepted, receipt_id):
            log.info("a version that was set aside is accepted; a run makes it count", receipt_id=receipt_id)
        else:
            log.error("a complete archive is damaged; this delivery repairs it", receipt_id=receipt_id)
        why = Trigger.RERUN
    if state is State.FAILED and None not in known:
        return None
    try:
        run = await start_run(reference, receipt_id, why)
    except Conflict as conflict:
        log.error("not triggered; a person must examine it", receipt_id=receipt_id, why=str(conflict))
        return None
    if known == {run.flow_run_id}:
        return None
    new = [
        each.delivery_id
        for each, before in zip(deliveries, registered, strict=True)
        if before.flow_run_id != run.flow_run_id
    ]
    state = await asyncio.to_thread(receipts.set_triggered, new, run.flow_run_id)
    if state is State.COMPLETED:  # the run was faster, and wrote the history without these deliveries
        await asyncio.to_thread(history.keep, reference, receipt_id)
    log.info("run started", receipt_id=receipt_id, flow_run_id=run.flow_run_id, trigger=why)
    return run.flow_run_id


def _remove_returned(digest: str, deliveries: Sequence[Delivery]) -> None:
    """Remove what came again of an erased archive. Nothing of it was recorded."""
    tombstones.count_returned(digest, [each.received_at for each in deliveries])
    inbox.erase_these({each.receipt_id for each in deliveries}, [each.delivery_id for each in deliveries])
    log.warning("an erased archive came again, and was removed", digest=digest, deliveries=len(deliveries))


async def _needs_no_run(deliveries: Sequence[Delivery], registered: Sequence[Registration]) -> bool:
    """Return whether deliveries of a complete receipt need no run, and remove them from the inbox if the store has it.
    A damaged receipt needs a run; after a failed repair it waits for a person. A locked receipt waits for its key. A
    version that was set aside needs a run once it is accepted.
    """
    reference, receipt_id = deliveries[0].reference, deliveries[0].receipt_id
    known = {each.flow_run_id for each in registered if each.flow_run_id}
    is_any_new = any(each.flow_run_id is None for each in registered)
    if not is_any_new and known <= _not_repaired:
        return True
    try:
        is_kept = await asyncio.to_thread(_is_kept, reference, receipt_id)
    except Locked as locked:
        if receipt_id not in _locked:
            _locked.add(receipt_id)
            log.error("a complete archive is locked; it waits", receipt_id=receipt_id, why=str(locked))
        return True
    if is_kept:
        await asyncio.to_thread(history.keep, reference, receipt_id)
        await asyncio.to_thread(leave_again, receipt_id, [each.delivery_id for each in deliveries])
        for each in registered:
            log.info("delivery of a complete receipt", receipt_id=receipt_id, outcome=each.outcome)
        return True
    if is_any_new:
        return False
    return all([await _is_left_to(each, receipt_id) for each in sorted(known - _not_repaired)])


async def _is_left_to(flow_run_id: str, receipt_id: str) -> bool:
    """Return whether the run that repairs an archive is on its way, or has failed. A lost run is replaced."""
    if await prefect_api.on_their_way({flow_run_id}):
        return True
    if not await asyncio.to_thread(runs.has_failed, flow_run_id, receipt_id):
        return False
    log.error("a complete archive is damaged; its run has not repaired it", receipt_id=receipt_id)
    _not_repaired.add(flow_run_id)
    return True


async def start_run(reference: str, receipt_id: str, why: Trigger, *, repeats: bool = False) -> FlowRun:
    """Start the next attempt at a receipt, or return the run that is on its way.

    Attempts are counted by ended runs, and their number is part of the idempotency key. So Prefect returns a run that
    is on its way, or is retried in Prefect. A run that waits is made due, unless the sweep asks. A run that has ended
    in Prefect and not in our history, because its worker was killed, is recorded here. The sweep does not restart a run
    that a person has cancelled, unless a person has run the archive again since.

    Args:
        repeats: whether a complete receipt is run again, as a re-run always does.
    """
    identity = await asyncio.to_thread(archives.identity, reference)
    tags = await asyncio.to_thread(form_tags, identity.template_id)
    last = max(1, await asyncio.to_thread(runs.ended_runs, receipt_id))
    for attempt in range(last, last + _MOST_ATTEMPTS_AT_ONCE):
        run = await prefect_api.create_run(identity, receipt_id, attempt, why, tags)
        if not run.ended:
            await asyncio.to_thread(receipts.set_awaited, receipt_id)
            if why is not Trigger.SWEEP:
                await prefect_api.make_due([run])
            return run
        if why is not Trigger.RERUN and not repeats and await asyncio.to_thread(_is_complete, receipt_id):
            return run  # it completed the receipt during the request
        await record_ended(run, reference, receipt_id, why)
        is_left = run.state == RunState.CANCELLED and why is Trigger.SWEEP
        if is_left and not await prefect_api.is_attempted(receipt_id, attempt + 1):
            await asyncio.to_thread(receipts.set_failed, receipt_id, CANCELLED, datetime.now(UTC))
            return run
    raise Conflict(Sentence.ended_unseen(count=_MOST_ATTEMPTS_AT_ONCE, receipt=receipt_id))


async def record_ended(run: FlowRun, reference: str, receipt_id: str, why: Trigger) -> None:
    """Record and count the end of a run, unless our history has it. Prefect knows no cause, except of a Cancel."""
    now = datetime.now(UTC)
    ids: dict[str, Any] = {"flow_run_id": run.flow_run_id, "reference": reference, "receipt_id": receipt_id}
    row = RunRow(**ids, attempt=1, trigger=why, state=run.state, started_at=now, ended_at=now)
    if run.state == RunState.CANCELLED:
        row.cause_code, row.cause_error = CANCELLED.code, CANCELLED.error_class
        row.cause_sentence, row.cause_values = CANCELLED.sentence, CANCELLED.values
    if await asyncio.to_thread(runs.record_unseen, row):
        run_ended(run.state, row.cause_code)


def _is_kept(reference: str, receipt_id: str) -> bool:
    """Return whether the store gives back the receipt that is about to leave the inbox, and no run must load it.

    Raises Locked if the archive's key is not available, so the answer is unknown.
    """
    try:
        stored = stored_request(reference, receipt_id)
        return stored is not None and stored.is_whole() and not archives.is_accepted(receipt_id)
    except Locked:
        raise
    except (Conflict, Unreadable):
        return False


def _is_complete(receipt_id: str) -> bool:
    return State(receipts.get(receipt_id).state) is State.COMPLETED


def _waiting() -> dict[str, Registration | None]:
    """Return the registration in the database of each waiting delivery, by its id."""
    ids = inbox.delivery_ids()
    return dict.fromkeys(ids) | receipts.registrations(ids)

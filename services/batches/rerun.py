"""The bulk re-run of archives: a run for each archive of the frozen list, a few at once."""

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, or_
from sqlmodel import col

from adapters.peers import prefect_api
from adapters.peers.prefect_api import FlowRun
from adapters.tables.batches import batches, reruns
from adapters.tables.batches.batches import Selection
from adapters.tables.batches.reruns import Group
from adapters.tables.runs import receipts
from domain.batches import AT_ONCE, RUNNABLE, Draft, Settled, room, seconds_for, skipped, summed
from domain.runs import CANCELLED
from domain.words.catalogue import in_words
from models.archive.archive import ArchiveRow, State
from models.errors import Conflict
from models.runs.batch import BatchItemRow, BatchRow, ItemState, Skipped
from models.runs.receipt import RunState, Trigger
from models.said import said_of
from models.views.archives.archives import ArchiveFilter
from models.views.batch import CauseCount, RerunPlan, TemplateCount
from services.messages.known import known_endpoints
from services.triggering.trigger import record_ended, start_run
from services.views.archive_conditions import conditions_of

log = structlog.get_logger()

QUIET_S = 0.2  # the end of a run makes room for the next
_MEASURED_WITHIN = timedelta(days=1)
_MOST_TEMPLATES = 10
_TO_RUN = col(ArchiveRow.state).in_(RUNNABLE)
_SEEN_AT_ONCE = 200
_LOST_AFTER = timedelta(minutes=1)


def draft(chosen: ArchiveFilter, now: datetime) -> Draft:
    """Plan the re-run of all archives that match a filter. Raises Refused if the label of the filter has no `=`."""
    conditions = conditions_of(chosen)
    plan = _plan(reruns.groups(conditions), conditions, now)
    return Draft(chosen, plan, plan.archives)


def selection(row: BatchRow) -> Selection:
    """Return the archives of a plan, without those that arrived or failed after it."""
    reference, since = col(ArchiveRow.reference), col(ArchiveRow.cause_since)
    seen = [col(ArchiveRow.received_at) <= row.created_at, or_(since.is_(None), since <= row.created_at), _TO_RUN]
    conditions = [*conditions_of(ArchiveFilter.model_validate(row.filter)), *seen]
    return Selection(reference, ArchiveRow.state, (col(ArchiveRow.received_at), reference), conditions)


def check_confirmed_by(_row: BatchRow, _by: str) -> None:
    """Check nothing: whoever may plan may confirm."""


def settle(batch_id: str, now: datetime) -> Settled:
    """Record the ends of started archives, as far as the history of runs knows."""
    flights = reruns.flights(batch_id)
    over = [(each, became) for each in flights if (became := each.became())]
    for flight, became in over:
        known: dict[str, Any] = {"flow_run_id": flight.flow_run_id}
        if became is ItemState.FAILED and flight.last:
            last = flight.last
            known |= {"cause": last.cause_code, "sentence": last.cause_sentence, "values": last.cause_values}
        batches.end_item(batch_id, flight.item.position, became, now, **known)
    return Settled(len(flights) - len(over), len(over))


async def recover(batch_id: str) -> None:
    """Ask again for the runs whose request was interrupted, and ask Prefect about runs that take long: a run may have
    been cancelled before it began, or be gone.
    """
    before = datetime.now(UTC) - _LOST_AFTER
    old = {
        each.flow_run_id
        for each in await asyncio.to_thread(reruns.flights, batch_id)
        if each.flow_run_id and each.item.started_at and each.item.started_at < before and not each.became()
    }
    known = await prefect_api.known(list(old))
    # Read again: most of these runs have ended in between, and the history knows how.
    for flight in await asyncio.to_thread(reruns.flights, batch_id):
        run = known.get(flight.flow_run_id or "")
        if flight.became():
            continue
        if flight.flow_run_id is None:
            await _ask_for_run(flight.item, flight.item.receipt_id or "")  # set with the start
        elif flight.flow_run_id in old and (run is None or run.ended):
            await _settle_lost(flight.item, run)


async def start_next(row: BatchRow, now: datetime) -> int | None:
    """Start as many queued archives as there is room for, and skip archives that no longer need a run."""
    in_flight = await asyncio.to_thread(reruns.in_flight, now)
    free = room(in_flight, await asyncio.to_thread(reruns.new_archives, now))
    if not free:
        return 0
    queued = await asyncio.to_thread(reruns.next_queued, row.id, _SEEN_AT_ONCE)
    reasons = {item.position: skipped(State(item.was), state) for item, state in queued}
    for why in set(reasons.values()) - {None}:
        these, ended = [key for key, each in reasons.items() if each is why], {"skipped": why, "ended_at": now}
        await _change(row.id, these, ItemState.QUEUED, state=ItemState.SKIPPED, **ended)
    chosen = [item for item, _ in queued if not reasons[item.position]][:free]
    await asyncio.gather(*(_start(item, now) for item in chosen))
    return len(chosen) if queued else None


async def _start(item: BatchItemRow, now: datetime) -> None:
    """Start the run of a queued archive: of its newest receipt, which may have arrived since the list was frozen."""
    receipt_id = await asyncio.to_thread(receipts.newest_receipt_id, item.subject)
    if receipt_id is None:  # an archive has a receipt
        return
    started = {"state": ItemState.STARTED, "receipt_id": receipt_id, "started_at": now}
    if await _change(item.batch_id, [item.position], ItemState.QUEUED, **started):  # else another driver has done so
        await _ask_for_run(item, receipt_id)


async def _ask_for_run(item: BatchItemRow, receipt_id: str) -> None:
    """Ask for the run of a started archive. Asked twice, Prefect returns the same run."""
    became: dict[str, Any] = {"ended_at": datetime.now(UTC)}
    try:
        run = await start_run(item.subject, receipt_id, Trigger.BULK, repeats=item.was == State.COMPLETED)
    except Conflict as conflict:
        log.error("not started; a person must examine it", receipt_id=receipt_id, why=str(conflict))
        became |= {"state": ItemState.FAILED, "cause": conflict.code, **in_words(sentence=conflict.said)}
    else:
        if run.ended:  # another run completed the receipt in between
            became |= {"state": ItemState.SKIPPED, "skipped": Skipped.COMPLETED_SINCE}
        else:
            became = {"flow_run_id": run.flow_run_id}
    await _change(item.batch_id, [item.position], ItemState.STARTED, **became)


async def _settle_lost(item: BatchItemRow, run: FlowRun | None) -> None:
    """Settle an archive whose run has ended without our history, or is gone from Prefect.

    What a person cancelled stays as it is. Every other run is asked for again; its number of attempts does not grow
    without end, since each request counts the run before as ended.
    """
    receipt_id, now = item.receipt_id or "", datetime.now(UTC)
    log.warning("the run of an archive was lost", flow_run_id=item.flow_run_id, state=run.state if run else None)
    if run is None or run.state != RunState.CANCELLED:
        await _ask_for_run(item, receipt_id)
        return
    why = {"cause": CANCELLED.code, "sentence": CANCELLED.sentence, "values": CANCELLED.values}
    await record_ended(run, item.subject, receipt_id, Trigger.BULK)
    await asyncio.to_thread(receipts.set_failed, receipt_id, CANCELLED, now)
    await asyncio.to_thread(batches.end_item, item.batch_id, item.position, ItemState.FAILED, now, **why)


async def _change(batch_id: str, positions: Collection[int], before: ItemState, **after: Any) -> int:
    return await asyncio.to_thread(batches.change_items, batch_id, positions, before, **after)


def _plan(groups: list[Group], conditions: list[ColumnElement[bool]], now: datetime) -> RerunPlan:
    runnable = [each for each in groups if each.state in RUNNABLE]
    archives = sum(each.archives for each in runnable)
    templates = [
        TemplateCount(template_id=template, archives=number)
        for template, number in summed((each.template_id, each.archives) for each in runnable).items()
    ]
    durations = reruns.recent_durations(now - _MEASURED_WITHIN)
    return RerunPlan(
        archives=archives,
        on_their_way=sum(each.archives for each in groups) - archives,
        complete=sum(each.archives for each in runnable if each.state == State.COMPLETED),
        states=summed((each.state, each.archives) for each in groups),
        causes=_by_cause(runnable),
        templates=templates[:_MOST_TEMPLATES],
        archives_of_other_templates=sum(each.archives for each in templates[_MOST_TEMPLATES:]),
        undelivered=reruns.undelivered([*conditions, _TO_RUN]) if archives else 0,
        endpoints=sum(not each.disabled_at for each in known_endpoints()),
        seconds=seconds_for(archives, durations),
        measured_runs=len(durations),
        at_once=AT_ONCE,
    )


def _by_cause(groups: list[Group]) -> list[CauseCount]:
    causes: dict[tuple[str, str | None], CauseCount] = {}
    for each in groups:
        if each.cause_code:
            told = in_words(sentence=said_of(each.sentence) if each.sentence else None)
            first = CauseCount(code=each.cause_code, task=each.cause_task, archives=0, **told)
            causes.setdefault((each.cause_code, each.cause_task), first).archives += each.archives
    return sorted(causes.values(), key=lambda each: -each.archives)

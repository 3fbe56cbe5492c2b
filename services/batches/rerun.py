"""The bulk re-run of archives: a run for each archive of the frozen list, a few at once."""

import asyncio
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import ColumnElement, or_
from sqlmodel import col

from adapters.peers import prefect_api
from adapters.peers.prefect_api import FlowRun
from adapters.tables.batches import batches, reruns
from adapters.tables.batches.batches import Selection
from adapters.tables.batches.reruns import Group
from adapters.tables.runs import receipts
from domain.batches import AT_ONCE, RUNNABLE, Draft, Flight, Settled, end_of, room, seconds_for, skipped, summed
from domain.runs.causes import CANCELLED
from models.archive.archive import ArchiveRow, State
from models.errors import Conflict
from models.runs.batch import BatchItemRow, BatchRow, ItemState, Skipped
from models.runs.run import RunState, Trigger
from models.views.archives.archives import ArchiveFilter
from models.views.batch import CauseCount, RerunPlan, TemplateCount
from services.messages.events.planning import known_endpoints
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
    """Plan the re-run of all archives that match a filter.

    Raises:
        Refused: the label of the filter has no `=`.
        Transient: the database does not answer.
    """
    conditions = conditions_of(chosen)
    plan = _plan(reruns.groups(conditions), conditions, now)
    return Draft(chosen, plan, plan.archives)


def selection(row: BatchRow) -> Selection:
    """Return the archives of a plan, without those that arrived or failed after it."""
    reference, since = col(ArchiveRow.reference), col(ArchiveRow.cause_since)
    seen = [col(ArchiveRow.received_at) <= row.created_at, or_(since.is_(None), since <= row.created_at), _TO_RUN]
    conditions = [*conditions_of(ArchiveFilter.model_validate(row.filter)), *seen]
    return Selection(reference, ArchiveRow.state, (col(ArchiveRow.received_at), reference), conditions)


def settle(batch_id: str, now: datetime) -> Settled:
    """Record the ends of started archives, as far as the history of runs knows.

    Raises:
        Transient: the database does not answer.
    """
    flights = reruns.flights(batch_id)
    ended = 0
    for flight in flights:
        became = end_of(flight)
        if became and flight.flow_run_id:
            known: dict[str, str | None] = {"flow_run_id": flight.flow_run_id}
            if became is ItemState.FAILED:
                known |= {"cause": flight.cause, "sentence": flight.sentence}
            batches.end(batch_id, flight.position, became, now, **known)
            ended += 1
    return Settled(len(flights) - ended, ended)


async def recover(batch_id: str) -> None:
    """Ask again for the runs whose request was interrupted, and ask Prefect about runs that take long: a run may have
    been cancelled before it began, or be gone.

    Raises:
        Transient: the database or Prefect does not answer.
    """
    now = datetime.now(UTC)
    unended = [each for each in await asyncio.to_thread(reruns.flights, batch_id) if end_of(each) is None]
    asked = {each.position: each.flow_run_id for each in unended if each.flow_run_id}
    old = {each.position for each in unended if each.asked_at and each.asked_at < now - _LOST_AFTER}
    known = await prefect_api.known([run for position, run in asked.items() if position in old])
    # Read again: most of these runs have ended in between, and the history knows how.
    for flight in await asyncio.to_thread(reruns.flights, batch_id):
        run = known.get(flight.flow_run_id or "")
        if end_of(flight) is not None:
            continue
        if flight.flow_run_id is None:
            await _ask_for_run(batch_id, flight)
        elif flight.position in old & asked.keys() and (run is None or run.ended):
            await _settle_lost(batch_id, flight, run)


async def start_next(row: BatchRow, now: datetime) -> int | None:
    """Start as many queued archives as there is room for, and skip archives that no longer need a run.

    Raises:
        Transient: the database or Prefect does not answer.
    """
    in_flight = await asyncio.to_thread(reruns.in_flight, now)
    free = room(in_flight, await asyncio.to_thread(reruns.new_archives, now))
    if not free:
        return 0
    queued = await asyncio.to_thread(reruns.next_queued, row.id, _SEEN_AT_ONCE)
    reasons = {item.position: skipped(State(item.was), state) for item, state in queued}
    if any(reasons.values()):
        await asyncio.to_thread(batches.skip, row.id, {key: why for key, why in reasons.items() if why}, now)
    chosen = [item for item, _ in queued if not reasons[item.position]][:free]
    await asyncio.gather(*(_start(item, now) for item in chosen))
    return len(chosen) if queued else None


async def _start(item: BatchItemRow, now: datetime) -> None:
    """Start the run of a queued archive: of its newest receipt, which may have arrived since the list was frozen."""
    place = item.batch_id, item.position
    receipt_id = await asyncio.to_thread(receipts.newest_receipt_id, item.subject)
    if receipt_id is None:  # an archive has a receipt
        return
    if await asyncio.to_thread(batches.mark_started, *place, receipt_id, now):
        flight = Flight(item.position, item.subject, receipt_id, State(item.was), now)
        await _ask_for_run(item.batch_id, flight)


async def _ask_for_run(batch_id: str, flight: Flight) -> None:
    """Ask for the run of a started archive. Asked twice, Prefect returns the same run."""
    repeats, place = flight.was is State.COMPLETED, (batch_id, flight.position)
    try:
        run = await start_run(flight.reference, flight.receipt_id, Trigger.BULK, repeats=repeats)
    except Conflict as conflict:
        log.error("not started; a person must examine it", receipt_id=flight.receipt_id, why=str(conflict))
        await asyncio.to_thread(batches.end, *place, ItemState.FAILED, datetime.now(UTC))
        return
    if run.ended:  # another run completed the receipt in between
        ended = ItemState.SKIPPED, datetime.now(UTC)
        await asyncio.to_thread(batches.end, *place, *ended, skipped=Skipped.COMPLETED_SINCE)
        return
    await asyncio.to_thread(batches.set_run, *place, run.flow_run_id)


async def _settle_lost(batch_id: str, flight: Flight, run: FlowRun | None) -> None:
    """Settle an archive whose run has ended without our history, or is gone from Prefect.

    What a person cancelled stays as it is. Every other run is asked for again; its number of attempts does not grow
    without end, since each request counts the run before as ended.
    """
    log.warning("the run of an archive was lost", flow_run_id=flight.flow_run_id, state=run.state if run else None)
    if run is None or run.state != RunState.CANCELLED:
        await _ask_for_run(batch_id, flight)
        return
    now, why = datetime.now(UTC), {"cause": CANCELLED.code, "sentence": CANCELLED.sentence}
    await record_ended(run, flight.reference, flight.receipt_id, Trigger.BULK)
    await asyncio.to_thread(receipts.set_failed, flight.receipt_id, CANCELLED, now)
    await asyncio.to_thread(batches.end, batch_id, flight.position, ItemState.FAILED, now, **why)


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
            first = CauseCount(code=each.cause_code, task=each.cause_task, sentence=each.sentence, archives=0)
            causes.setdefault((each.cause_code, each.cause_task), first).archives += each.archives
    return sorted(causes.values(), key=lambda each: -each.archives)

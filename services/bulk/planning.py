"""Plans bulk re-runs, and freezes the list of a plan when a person confirms it."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import structlog
from sqlalchemy import ColumnElement, or_
from sqlmodel import col

from adapters.peers import prefect_api
from adapters.tables.bulk import bulk_reruns
from adapters.tables.bulk.bulk_reruns import Group
from domain.bulk.decisions import AT_ONCE, RUNNABLE, seconds_for, summed
from models.archive.archive import ArchiveRow, State
from models.errors import Refused, Transient
from models.runs.bulk import BulkRow, BulkState
from models.views.archives.archives import ArchiveFilter
from models.views.bulk import CauseCount, PlanView, TemplateCount
from services.messages.events import known_endpoints
from services.views.archive_conditions import conditions_of

log = structlog.get_logger()

_MEASURED_WITHIN = timedelta(days=1)
_MOST_TEMPLATES = 10
_TO_RUN = col(ArchiveRow.state).in_(RUNNABLE)


def plan(chosen: ArchiveFilter, by: str, bulk_id: str | None = None) -> BulkRow:
    """Plan the re-run of all archives that match a filter, and record the plan. Nothing is frozen and nothing runs.

    Args:
        by: the person who plans it, for the record.
        bulk_id: the id of the plan. A plan that exists already is returned unchanged.

    Raises:
        Refused: the label of the filter has no `=`.
        Transient: the database does not answer.
    """
    known = bulk_reruns.find(bulk_id) if bulk_id else None
    if known:
        return known
    now = datetime.now(UTC)
    conditions = conditions_of(chosen)
    found = _plan(bulk_reruns.groups(conditions), conditions, now)
    row = BulkRow(
        id=bulk_id or uuid4().hex[-12:],
        state=BulkState.PLANNED,
        filter=chosen.model_dump(mode="json", exclude_none=True),
        plan=found.model_dump(mode="json"),
        planned=found.archives,
        by=by,
        created_at=now,
        actions=[action(by, "planned", now)],
    )
    bulk_reruns.add(row)
    return row


async def confirm(bulk_id: str, by: str) -> None:
    """Freeze the list of a plan and start the flow run that drives it, both at once, so that the first archive is soon.

    Archives that failed or arrived after the plan was made are not in the list, since nobody has seen them in the plan.
    If Prefect does not answer, the flow `sweep-inbox` starts the driver later.

    Raises:
        Refused: there is no such plan, or it was confirmed or aborted before.
        Transient: the database does not answer.
    """
    if (await asyncio.to_thread(get, bulk_id)).state != BulkState.PLANNED:
        raise wrong_state(bulk_id, BulkState.PLANNED)
    driving = asyncio.create_task(start_driver(bulk_id))  # it waits for the list, and ends if there is none
    try:
        await asyncio.to_thread(freeze, bulk_id, by)
    finally:
        try:
            await driving
        except Transient as error:
            log.warning("a confirmed bulk re-run waits for Prefect", bulk_id=bulk_id, why=str(error))


def freeze(bulk_id: str, by: str) -> None:
    """Freeze the list of a plan.

    Raises:
        Refused: there is no such plan, or it was confirmed or aborted before.
        Transient: the database does not answer.
    """
    row = get(bulk_id)
    now = datetime.now(UTC)
    seen = [col(ArchiveRow.received_at) <= row.created_at, _failed_before(row.created_at), _TO_RUN]
    conditions = [*conditions_of(ArchiveFilter.model_validate(row.filter)), *seen]
    if not bulk_reruns.freeze(bulk_id, conditions, action(by, "confirmed", now), now):
        raise wrong_state(bulk_id, BulkState.PLANNED)


async def start_driver(bulk_id: str) -> None:
    """Start the next flow run that drives a confirmed bulk re-run, or find the run that another caller has started.

    Raises:
        Refused: there is no such bulk re-run.
        Transient: the database or Prefect does not answer.
    """
    number = (await asyncio.to_thread(get, bulk_id)).drivers + 1
    # An earlier driver of this number may have ended unrecorded, when its caller was killed.
    while (driver := await prefect_api.create_driver(bulk_id, number)).ended:
        number += 1
    await asyncio.to_thread(bulk_reruns.set_driver, bulk_id, driver.flow_run_id, number)


def get(bulk_id: str) -> BulkRow:
    """Return a bulk re-run.

    Raises:
        Refused: it is unknown.
        Transient: the database does not answer.
    """
    row = bulk_reruns.find(bulk_id)
    if row is None:
        detail = "no bulk re-run has this id; `cellar bulk list` shows the ids"
        raise Refused("UNKNOWN_BULK_RERUN", detail, where="bulk_id", status=404)
    return row


def wrong_state(bulk_id: str, *expected: BulkState) -> Refused:
    """Return the error for a bulk re-run in a state that does not allow what was asked."""
    allowed = " or ".join(expected)
    detail = f"expected a bulk re-run that is {allowed}; this bulk re-run is {get(bulk_id).state}"
    return Refused("WRONG_STATE", detail, where="bulk_id", status=409)


def action(by: str, what: str, now: datetime) -> dict[str, str]:
    return {"at": now.isoformat(), "by": by, "what": what}


def _failed_before(moment: datetime) -> ColumnElement[bool]:
    return or_(col(ArchiveRow.cause_since).is_(None), col(ArchiveRow.cause_since) <= moment)


def _plan(groups: list[Group], conditions: list[ColumnElement[bool]], now: datetime) -> PlanView:
    runnable = [each for each in groups if each.state in RUNNABLE]
    archives = sum(each.archives for each in runnable)
    templates = [
        TemplateCount(template_id=template, archives=number)
        for template, number in summed((each.template_id, each.archives) for each in runnable).items()
    ]
    durations = bulk_reruns.recent_durations(now - _MEASURED_WITHIN)
    return PlanView(
        archives=archives,
        on_their_way=sum(each.archives for each in groups) - archives,
        complete=sum(each.archives for each in runnable if each.state == State.COMPLETED),
        states=summed((each.state, each.archives) for each in groups),
        causes=_by_cause(runnable),
        templates=templates[:_MOST_TEMPLATES],
        archives_of_other_templates=sum(each.archives for each in templates[_MOST_TEMPLATES:]),
        undelivered=bulk_reruns.undelivered([*conditions, _TO_RUN]) if archives else 0,
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

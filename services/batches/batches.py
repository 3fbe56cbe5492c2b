"""Plans batches, freezes the list of a plan when a person confirms it, drives, pauses, aborts and shows them.

A driver goes step by step, from the database: the next driver continues a killed one.

A further kind is a module beside `rerun`, and its line in `KINDS`.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import uuid4

import structlog

from adapters.peers import prefect_api
from adapters.peers.prefect_api import run_url
from adapters.store import happened
from adapters.tables.batches import batches
from adapters.tables.batches.batches import Selection
from domain.batches import Draft, Settled
from models.errors import Conflict, Refused, Transient
from models.runs.batch import BatchAction, BatchKind, BatchRow, BatchState, ItemState
from models.views.batch import BatchItemView, BatchPage, BatchRecord, BatchView, ItemQuery
from models.views.parameters import PageQuery
from services.batches import erase, redeliver, rerun

log = structlog.get_logger()

_CANCELLED = "Cancelled"
_UNENDED = (BatchState.RUNNING, BatchState.PAUSED)
_CHANGES: Mapping[BatchAction, tuple[tuple[BatchState, ...], BatchState, str]] = {
    BatchAction.PAUSE: ((BatchState.RUNNING,), BatchState.PAUSED, "paused"),
    BatchAction.RESUME: ((BatchState.PAUSED,), BatchState.RUNNING, "resumed"),
    BatchAction.ABORT: ((BatchState.PLANNED, *_UNENDED), BatchState.ABORTED, "aborted"),
}
"""From which states an action leads to which state, and what the record says."""


class Kind(Protocol):
    """What a kind of batch does differently, as functions of a module."""

    QUIET_S: float
    """The pause of the driver after a step that has started nothing."""

    def draft(self, chosen: Any, now: datetime, /) -> Draft:
        """Plan a batch by a filter. Nothing is recorded."""

    def selection(self, row: BatchRow, /) -> Selection:
        """Return what becomes the frozen list of a plan. What came or changed later, nobody has seen in the plan."""

    def settle(self, batch_id: str, now: datetime, /) -> Settled:
        """Record what became of started items, as far as our tables know. A second call changes nothing."""

    def check_confirmed_by(self, row: BatchRow, by: str, /) -> None:
        """Check that a person may confirm a plan. Raises Refused if another person has to."""

    async def recover(self, batch_id: str, /) -> None:
        """Go on with started items whose work was interrupted or is lost."""

    async def start_next(self, row: BatchRow, now: datetime, /) -> int | None:
        """Start as many queued items as there is room for. Return how many, None if none is queued any longer."""


KINDS: Mapping[str, Kind] = {BatchKind.RERUN: rerun, BatchKind.REDELIVER: redeliver, BatchKind.ERASE: erase}


def plan(kind: BatchKind, chosen: Any, by: str, batch_id: str | None = None) -> BatchRow:
    """Plan a batch of everything that matches a filter of its kind, and record the plan. Nothing is frozen, and nothing
    runs.

    Args:
        by: the person who plans it, for the record.
        batch_id: the id of the plan. A plan that exists already is returned unchanged.

    Raises:
        Refused: the filter is wrong, as `draft` of the kind says.
    """
    known = batches.find(batch_id) if batch_id else None
    if known:
        return known
    now = datetime.now(UTC)
    made = KINDS[kind].draft(chosen, now)
    row = BatchRow(
        id=batch_id or uuid4().hex[-12:],
        kind=kind,
        state=BatchState.PLANNED,
        filter=made.filter.model_dump(mode="json", exclude_defaults=True),
        plan=made.plan.model_dump(mode="json"),
        planned=made.planned,
        by=by,
        created_at=now,
        actions=[_action(by, "planned", now)],
    )
    batches.add(row)
    happened.keep()
    return row


def check_confirmable(batch_id: str, by: str) -> None:
    """Check that a person may confirm a plan. Raises as `confirm` does."""
    row = get(batch_id)
    if row.state != BatchState.PLANNED:
        raise _wrong_state(batch_id, BatchState.PLANNED)
    KINDS[row.kind].check_confirmed_by(row, by)


async def confirm(batch_id: str, by: str) -> None:
    """Freeze the list of a plan and start the flow run that drives it, both at once, so that the first item is soon.

    What came or failed after the plan was made is not in the list, since nobody has seen it in the plan. If Prefect
    does not answer, the flow `sweep-inbox` starts the driver later.

    Raises Refused if there is no such plan, it was confirmed or aborted before, or another person has to confirm it.
    """
    await asyncio.to_thread(check_confirmable, batch_id, by)
    driving = asyncio.create_task(start_driver(batch_id))  # it waits for the list, and ends if there is none
    try:
        await asyncio.to_thread(freeze, batch_id, by)
    finally:
        try:
            await driving
        except Transient as error:
            log.warning("a confirmed batch waits for Prefect", batch_id=batch_id, why=str(error))


def freeze(batch_id: str, by: str) -> None:
    """Freeze the list of a plan. Raises as `confirm` does."""
    row, now = get(batch_id), datetime.now(UTC)
    KINDS[row.kind].check_confirmed_by(row, by)
    if not batches.freeze(batch_id, KINDS[row.kind].selection(row), _action(by, "confirmed", now), now):
        raise _wrong_state(batch_id, BatchState.PLANNED)
    happened.keep()


async def act(action: BatchAction, batch_id: str, by: str, *, of_erasures: bool = False) -> BatchView:
    """Confirm, pause, resume or abort a batch, and return it. Raises as `confirm` and `change` do.

    `of_erasures`: whether the caller may act on erasures, and on nothing else here.
    """
    if ((await asyncio.to_thread(get, batch_id)).kind == BatchKind.ERASE) != of_erasures:
        raise _unknown()
    if action is BatchAction.CONFIRM:
        await confirm(batch_id, by)
    else:
        await asyncio.to_thread(change, action, batch_id, by)
    return await asyncio.to_thread(view, batch_id)


def change(action: BatchAction, batch_id: str, by: str) -> None:
    """Pause, resume or abort a batch. What is on its way ends as usual, and items that are not started stay untouched.

    Raises Refused if it is unknown, or its state does not allow the action.
    """
    before, after, what = _CHANGES[action]
    get(batch_id)
    now = datetime.now(UTC)
    if not batches.change(batch_id, before, after, _action(by, what, now), now):
        raise _wrong_state(batch_id, *before)
    happened.keep()
    log.info("batch", batch_id=batch_id, what=what)


def get(batch_id: str) -> BatchRow:
    """Return a batch. Raises Refused if it is unknown."""
    row = batches.find(batch_id)
    if row is None:
        raise _unknown()
    return row


def _unknown() -> Refused:
    detail = "no batch has this id; `cellar bulk list` shows the ids"
    return Refused("UNKNOWN_BATCH", detail, where="batch_id", status=404)


def view(batch_id: str) -> BatchView:
    """Return a batch and how far it is. Raises as `get` does."""
    row = get(batch_id)
    if row.state == BatchState.ABORTED:  # its driver may be gone before the last started items have ended
        KINDS[row.kind].settle(batch_id, datetime.now(UTC))
    return _view(row)


def record(batch_id: str, query: ItemQuery) -> BatchRecord:
    """Return a batch with a page of what became of its items. Raises as `get` does."""
    found = view(batch_id)
    rows = batches.items(batch_id, query.item_state, query.after, query.limit + 1)
    items = [BatchItemView(**each.model_dump(exclude={"batch_id"})) for each in rows[: query.limit]]
    more = items[-1].position if len(rows) > query.limit else None
    return BatchRecord(**found.model_dump(), items=items, next=more)


def page(query: PageQuery, kind: BatchKind | None = None) -> BatchPage:
    """Return batches, newest first. Raises Refused if the cursor is invalid."""
    rows, cursor = batches.page(kind, query.cursor, query.limit)
    return BatchPage(items=[_view(each) for each in rows], next=cursor)


async def start_driver(batch_id: str) -> None:
    """Start the next flow run that drives a confirmed batch, or find the run that another caller has started.

    Raises Refused if there is no such batch.
    """
    row = await asyncio.to_thread(get, batch_id)
    number = row.drivers + 1
    # An earlier driver of this number may have ended unrecorded, when its caller was killed.
    while (driver := await prefect_api.create_driver(batch_id, f"{row.kind}-{batch_id}", number)).ended:
        number += 1
    await asyncio.to_thread(batches.set_driver, batch_id, driver.flow_run_id, number)


async def restart_drivers() -> int:
    """Start drivers for batches whose flow run has ended early or is unknown to Prefect. Return their number.

    A driver that a person cancelled while no worker executed it aborts its batch.
    """
    unended = await asyncio.to_thread(batches.in_states, _UNENDED)
    known = await prefect_api.known([each.flow_run_id for each in unended if each.flow_run_id])
    restarted = 0
    for row in unended:
        driver = known.get(row.flow_run_id or "")
        if driver is not None and driver.state == _CANCELLED:
            await asyncio.to_thread(_abort_cancelled, row.id)
        elif driver is None or driver.ended:
            await start_driver(row.id)
            restarted += 1
    return restarted


def _abort_cancelled(batch_id: str) -> None:
    with suppress(Refused):  # it has ended in between
        change(BatchAction.ABORT, batch_id, "prefect")


def _wrong_state(batch_id: str, *expected: BatchState) -> Refused:
    """Return the error for a batch in a state that does not allow what was asked."""
    detail = f"expected a batch that is {' or '.join(expected)}; this batch is {get(batch_id).state}"
    return Refused("WRONG_STATE", detail, where="batch_id", status=409)


def _action(by: str, what: str, now: datetime) -> dict[str, str]:
    return {"at": now.isoformat(), "by": by, "what": what}


def _view(row: BatchRow) -> BatchView:
    counts = batches.counts(row.id) if row.state != BatchState.PLANNED else {}
    by_state = {state.value: counts.get(state, 0) for state in ItemState}
    known = row.model_dump(exclude={"flow_run_id", "drivers"}) | by_state
    done = by_state[ItemState.COMPLETED] + by_state[ItemState.SKIPPED]
    return BatchView(**known, done=done, url=run_url(row.flow_run_id) if row.flow_run_id else None)


_PAUSE_S = 0.2
_QUIET_S = 1.0


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a batch stands after a step. `is_over`: this driver has nothing left to do. `pause_s`: until the next."""

    state: BatchState
    is_over: bool
    pause_s: float = _QUIET_S


async def step(batch_id: str, driver: str, *, thoroughly: bool = False) -> Standing:
    """Record what became of the started items, and start further items while there is room.

    Args:
        driver: the flow run that calls. A flow run that is no longer the driver does nothing.
        thoroughly: also go on with what an earlier driver was killed at, and with what is lost.

    Raises:
        Refused: there is no such batch.
    """
    row = await asyncio.to_thread(get, batch_id)
    state, kind = BatchState(row.state), KINDS[row.kind]
    if row.flow_run_id != driver or state is BatchState.DONE:
        return Standing(state, is_over=True)
    await settle_aborted(None if thoroughly else row.kind)
    settled = await _settle(row, thoroughly=thoroughly)
    if state is not BatchState.RUNNING:
        return Standing(state, state is BatchState.ABORTED and not settled.on_their_way, max(_QUIET_S, kind.QUIET_S))
    started = await kind.start_next(row, datetime.now(UTC))
    if started is None and not settled.on_their_way:
        running, now = (BatchState.RUNNING,), datetime.now(UTC)
        is_over = await asyncio.to_thread(batches.change, batch_id, running, BatchState.DONE, None, now)
        return Standing(BatchState.DONE if is_over else state, is_over)
    return Standing(state, is_over=False, pause_s=_PAUSE_S if started or settled.ended else kind.QUIET_S)


async def settle_aborted(kind: str | None = None) -> None:
    """Record what became of the started items of aborted batches, whose drivers are mostly gone. Without a kind, also
    go on with what is lost.

    Started archives would keep their places, and no later bulk re-run could start an archive. A batch that a person has
    to look at, since a file of the store is damaged, keeps no other work from going on.
    """
    for each in await asyncio.to_thread(batches.aborted_in_flight):
        if kind in (None, each.kind):
            try:
                await _settle(each, thoroughly=kind is None)
            except Conflict as error:
                log.error("an aborted batch cannot end", batch_id=each.id, why=str(error))


async def _settle(row: BatchRow, *, thoroughly: bool) -> Settled:
    kind = KINDS[row.kind]
    if thoroughly:
        await kind.recover(row.id)
    return await asyncio.to_thread(kind.settle, row.id, datetime.now(UTC))

"""Drives a confirmed batch, step by step, from the database. A driver that is killed is continued by the next."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

from adapters.tables.batches import batches
from domain.batches import Settled
from models.runs.batch import BatchRow, BatchState
from services.batches.batches import KINDS, get

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

    Started archives would keep their places, and no later bulk re-run could start an archive.
    """
    for each in await asyncio.to_thread(batches.aborted_in_flight):
        if kind in (None, each.kind):
            await _settle(each, thoroughly=kind is None)


async def _settle(row: BatchRow, *, thoroughly: bool) -> Settled:
    kind = KINDS[row.kind]
    if thoroughly:
        await kind.recover(row.id)
    return await asyncio.to_thread(kind.settle, row.id, datetime.now(UTC))

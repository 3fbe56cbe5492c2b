"""Traces a run, as part of the trace that its receipt began."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from adapters.observation.tracing import is_traced, span
from adapters.tables.runs import receipts
from flows.execution.record import Run
from models.errors import Transient


@asynccontextmanager
async def traced(run: Run) -> AsyncIterator[None]:
    """Make the block the span `run` of its receipt's trace, below which its tasks appear."""
    parent = await _trace_of(run.receipt_id) if is_traced() else None
    with span("run", parent, receipt_id=run.receipt_id, flow_run_id=run.flow_run_id, attempt=run.attempt):
        yield


async def _trace_of(receipt_id: str) -> str | None:
    """Return the context that the newest delivery of a receipt carries. A trace is no reason for a run to fail."""
    try:
        return await asyncio.to_thread(receipts.traceparent, receipt_id)
    except Transient:
        return None

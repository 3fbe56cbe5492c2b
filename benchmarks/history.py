"""Reads from Prefect's API how many runs have completed, and when each began and ended.

Ask seldom while runs are on their way: each answer costs the server time that the runs then lack.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from adapters.peers.prefect_api import DEPLOYMENT

_FLOW = DEPLOYMENT.partition("/")[0]
_PAGE = 200
_OF_FLOW = {"flows": {"name": {"any_": [_FLOW]}}}  # not the runs of the sweep
_COMPLETED = {"state": {"type": {"any_": ["COMPLETED"]}}}


@dataclass(frozen=True, slots=True)
class CompletedRun:
    """A completed run of an archive. Times are seconds since the epoch."""

    flow_run_id: str
    reference: str
    started_at: float
    ended_at: float


async def count_runs(prefect: httpx.AsyncClient) -> int:
    """Return how many runs of the flow have completed."""
    return await _count(prefect, "flow_runs")


async def count_made(prefect: httpx.AsyncClient) -> int:
    """Return how many runs of the flow there are, whatever their state."""
    return int((await prefect.post("/flow_runs/count", json=_OF_FLOW)).raise_for_status().text)


async def count_task_runs(prefect: httpx.AsyncClient) -> int:
    return await _count(prefect, "task_runs")


async def completed_runs(prefect: httpx.AsyncClient, references: Sequence[str]) -> list[CompletedRun]:
    """Return the completed runs of archives, in order of their start. An archive has one run, or none yet."""
    runs = [
        CompletedRun(run["id"], run["name"], _seconds(run["start_time"]), _seconds(run["state"]["timestamp"]))
        async for run in _pages(prefect, references)
    ]
    return sorted(runs, key=lambda run: run.started_at)


async def _pages(prefect: httpx.AsyncClient, references: Sequence[str]) -> AsyncIterator[dict[str, Any]]:
    for start in range(0, len(references), _PAGE):
        named = {"name": {"any_": list(references[start : start + _PAGE])}}
        answer = await prefect.post("/flow_runs/filter", json={"flow_runs": named | _COMPLETED, "limit": _PAGE})
        for run in answer.raise_for_status().json():
            yield run


async def _count(prefect: httpx.AsyncClient, kind: str) -> int:
    answer = await prefect.post(f"/{kind}/count", json=_OF_FLOW | {kind: _COMPLETED})
    return int(answer.raise_for_status().text)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()

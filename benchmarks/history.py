"""What Prefect's API tells of runs: how many have completed so far, and when each began, ended and was recorded.

Asked seldom while runs are on their way: each answer costs the server time that the runs then lack.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from adapters.prefect_api import DEPLOYMENT

TASKS_OF_A_RUN = 4
_FLOW = DEPLOYMENT.partition("/")[0]
_PAGE = 200
_COMPLETED = {"state": {"type": {"any_": ["COMPLETED"]}}}


@dataclass(frozen=True, slots=True)
class CompletedRun:
    """Times are seconds since the epoch; a run's name is the reference of its archive."""

    flow_run_id: str
    reference: str
    started_at: float
    ended_at: float


async def count_runs(prefect: httpx.AsyncClient) -> int:
    """How many runs of the flow have completed."""
    return await _count(prefect, "flow_runs")


async def count_task_runs(prefect: httpx.AsyncClient) -> int:
    return await _count(prefect, "task_runs")


async def completed_runs(prefect: httpx.AsyncClient, references: Sequence[str]) -> list[CompletedRun]:
    """Those of the archives' runs that have completed, in order of their start."""
    runs = [
        CompletedRun(run["id"], run["name"], _seconds(run["start_time"]), _seconds(run["state"]["timestamp"]))
        async for run in _found(prefect, "flow_runs", "name", references)
    ]
    return sorted(runs, key=lambda run: run.started_at)


async def recorded_at(prefect: httpx.AsyncClient, runs: Sequence[CompletedRun]) -> dict[str, float]:
    """When the server wrote the end of the last task run of a flow run, by flow run id; without those that lack one.

    It is the time that the server itself puts into a task run's row (`updated`), a moment before it commits.
    """
    written: dict[str, list[float]] = {run.flow_run_id: [] for run in runs}
    async for task in _found(prefect, "task_runs", "id", list(written)):
        written[task["flow_run_id"]].append(_seconds(task["updated"]))
    return {flow_run_id: max(times) for flow_run_id, times in written.items() if len(times) >= TASKS_OF_A_RUN}


async def _found(
    prefect: httpx.AsyncClient, kind: str, field: str, values: Sequence[str]
) -> AsyncIterator[dict[str, Any]]:
    """Completed flow runs or task runs of the flow runs of which a field has one of the values."""
    size = _PAGE // TASKS_OF_A_RUN
    for start in range(0, len(values), size):
        of_runs = {"flow_runs": {field: {"any_": list(values[start : start + size])}}}
        wanted = of_runs | {kind: of_runs.get(kind, {}) | _COMPLETED}
        for offset in range(0, 100 * _PAGE, _PAGE):
            answer = await prefect.post(f"/{kind}/filter", json=wanted | {"limit": _PAGE, "offset": offset})
            page = answer.raise_for_status().json()
            for each in page:
                yield each
            if len(page) < _PAGE:
                break


async def _count(prefect: httpx.AsyncClient, kind: str) -> int:
    of_flow = {"flows": {"name": {"any_": [_FLOW]}}}  # not those of the sweep
    answer = await prefect.post(f"/{kind}/count", json=of_flow | {kind: _COMPLETED})
    return int(answer.raise_for_status().text)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()

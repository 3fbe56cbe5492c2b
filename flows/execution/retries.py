"""How tasks are tried again: only where the world was at fault, and ever more rarely."""

from typing import Any

from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task, exponential_backoff

from models.errors import Transient


async def is_transient(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Only what was the world's fault is tried again; a wrong payload stays wrong."""
    return isinstance(await state.aresult(raise_on_failure=False), Transient)


RETRIED: dict[str, Any] = {
    "retries": 4,
    "retry_delay_seconds": exponential_backoff(2),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": is_transient,
}

"""Retries tasks: only after transient errors, and with growing pauses."""

from typing import Any

from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task, exponential_backoff

from models.errors import Transient


async def is_transient(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Return whether a task failed with a transient error, and may be retried. A wrong payload stays wrong."""
    return isinstance(await state.aresult(raise_on_failure=False), Transient)


RETRIED: dict[str, Any] = {
    "retries": 3,
    "retry_delay_seconds": exponential_backoff(1),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": is_transient,
}
"""Retries over some 7 s, since they occupy a slot. After a longer outage the run itself waits, in no slot."""
RETRIED_SHORTLY: dict[str, Any] = RETRIED | {"retries": 2}
"""Retries over some 3 s. A scheduled flow goes on."""

"""What became of archives, read from the databases of cellar and of Prefect."""

import time
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import psycopg

from tests.distributed.load import Acknowledged, Load
from tests.distributed.stack import Stack

_LOOK_AGAIN_S, _DATABASE_WITHIN_S = 0.5, 180


def queried(url: str, query: str, *values: object) -> list[tuple[Any, ...]]:
    """Return the rows of a query; wait while the database is away."""
    deadline = time.monotonic() + _DATABASE_WITHIN_S
    while True:
        try:
            with closing(psycopg.connect(url, autocommit=True, connect_timeout=10)) as connection:
                return connection.execute(query.encode(), values).fetchall()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_LOOK_AGAIN_S)


def states(stack: Stack, sent: Sequence[Acknowledged]) -> dict[str, int]:
    """Return how many of the acknowledged receipts are in each state; `lost` have no row."""
    ids = [each.receipt_id for each in sent]
    query = "SELECT state, count(*) FROM receipt WHERE receipt_id = ANY(%s) GROUP BY state"
    found = dict(queried(stack.database_url, query, ids))
    return found | ({"lost": missing} if (missing := len(ids) - sum(found.values())) else {})


def completed_after(stack: Stack, load: Load, within_s: float) -> float:
    """Wait until everything that was acknowledged is completed, and return the seconds that it took."""
    begun = time.monotonic()
    while (found := states(stack, load.acknowledged)) != {"completed": len(load.acknowledged)}:
        assert time.monotonic() < begun + within_s, f"after {within_s} s: {found}"
        time.sleep(_LOOK_AGAIN_S)
    return time.monotonic() - begun


def delivered_after(stack: Stack, within_s: float) -> float:
    """Wait until no message waits for its endpoint, and return the seconds that it took."""
    begun = time.monotonic()
    query = "SELECT state, count(*) FROM notification GROUP BY state"
    while (found := dict(queried(stack.database_url, query))).keys() - {"delivered"}:
        assert time.monotonic() < begun + within_s, f"after {within_s} s: {found}"
        time.sleep(_LOOK_AGAIN_S)
    return time.monotonic() - begun


def per_archive(stack: Stack, table: str) -> dict[int, int]:
    """Return how many archives have how many rows of a table."""
    rows = queried(stack.database_url, f"SELECT reference, count(*) FROM {table} GROUP BY reference")
    counts = [int(count) for _, count in rows]
    return {count: counts.count(count) for count in sorted(set(counts))}


def doubled_schedules(stack: Stack) -> list[tuple[Any, ...]]:
    """Return the deployments and times for which Prefect's scheduler has made several runs."""
    query = (
        "SELECT d.name, f.name, r.idempotency_key, count(*) FROM flow_run r JOIN deployment d ON d.id = r.deployment_id"
        " JOIN flow f ON f.id = r.flow_id WHERE r.auto_scheduled"
        " GROUP BY d.name, f.name, r.idempotency_key HAVING count(*) > 1"
    )
    return queried(stack.prefect_database_url, query)


def open_runs(stack: Stack) -> dict[str, int]:
    """Return the runs of `process-archive` that have not ended, by the name of their state."""
    query = (
        "SELECT r.state_name, count(*) FROM flow_run r JOIN flow f ON f.id = r.flow_id WHERE f.name = 'process-archive'"
        " AND r.state_type NOT IN ('COMPLETED', 'FAILED', 'CANCELLED', 'CRASHED') GROUP BY r.state_name"
    )
    return dict(queried(stack.prefect_database_url, query))


def unrecorded_runs(stack: Stack) -> int:
    """Return how many completed runs of `process-archive` lack a task run: it passes through Redis."""
    query = (
        "SELECT count(*) FROM (SELECT r.id FROM flow_run r JOIN flow f ON f.id = r.flow_id LEFT JOIN task_run t"
        " ON t.flow_run_id = r.id AND t.state_type = 'COMPLETED' WHERE f.name = 'process-archive'"
        " AND r.state_type = 'COMPLETED' GROUP BY r.id HAVING count(t.id) < 4) AS lacking"
    )
    return int(queried(stack.prefect_database_url, query)[0][0])

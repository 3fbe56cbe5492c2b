"""Reads what an installation occupies: memory of each process, disk, rows, connections."""

import os
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from benchmarks.servers import memory_of
from tests.distributed.soak.mix import Mix
from tests.distributed.stack import Stack

_LATEST = 500


@dataclass(frozen=True)
class Sample:
    """An installation at a moment. Counts are of the whole soak, `p99_s` of the latest 500 acknowledgements."""

    elapsed_s: float
    acknowledged: int
    deliveries: int
    events: int
    refused: int
    wrong: int
    completed: int
    p99_s: float
    memory_bytes: dict[str, int]
    disk_bytes: dict[str, int]
    rows: dict[str, int]
    connections: dict[str, int]
    load_average: float


def sample(stack: Stack, mix: Mix, elapsed_s: float) -> Sample:
    disks = {"s3": stack.folder / "s3", "redis": stack.folder / "redis", "postgres": stack["postgres"].log.parent}
    completed, rows, connections = _database(stack)
    return Sample(
        elapsed_s=round(elapsed_s, 1),
        acknowledged=len(mix.receipts),
        deliveries=mix.deliveries,
        events=mix.events,
        refused=mix.refused,
        wrong=mix.wrong,
        completed=completed,
        p99_s=p99(mix.took_s[-_LATEST:]),
        memory_bytes={name: sum(map(_memory, each.pids())) for name, each in stack.processes.items()},
        disk_bytes={name: _size(folder) for name, folder in disks.items()},
        rows=rows,
        connections=connections,
        load_average=os.getloadavg()[0],
    )


def p99(seconds: list[float]) -> float:
    return sorted(seconds)[int(len(seconds) * 0.99)] if seconds else 0.0


def _memory(pid: int) -> int:
    """Return the memory that a process has for itself and its part of what it shares, as Postgres's children do."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) << 10
    with suppress(OSError, StopIteration):
        return memory_of(pid, "VmRSS")
    return 0


def _size(folder: Path) -> int:
    """Return the bytes that the files of a folder occupy; files come and go meanwhile."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += (Path(place) / name).stat().st_blocks * 512
    return total


def _database(stack: Stack) -> tuple[int, dict[str, int], dict[str, int]]:
    with suppress(psycopg.Error):
        with closing(psycopg.connect(stack.database_url, autocommit=True, connect_timeout=5)) as connection:
            completed = connection.execute("SELECT count(*) FROM receipt WHERE state = 'completed'").fetchone()
            each = "SELECT datname, count(*) FROM pg_stat_activity WHERE datname IN ('cellar', 'prefect') GROUP BY 1"
            connections: dict[str, int] = dict(connection.execute(each).fetchall())
        rows = {name: _rows(url) for name, url in _databases(stack).items()}
        return int(completed[0]) if completed else 0, rows, connections
    return 0, {}, {}


def _databases(stack: Stack) -> dict[str, str]:
    return {"cellar": stack.database_url, "prefect": stack.prefect_database_url}


def _rows(url: str) -> int:
    with closing(psycopg.connect(url, autocommit=True, connect_timeout=5)) as connection:
        found = connection.execute("SELECT sum(n_live_tup)::bigint FROM pg_stat_user_tables").fetchone()
    return int(found[0] or 0) if found else 0

"""Starts installations to measure: Prefect server, database, receiver and an engine, as `cellar up` has them.

There are two kinds: `sqlite`, the embedded default, and `postgres`, with both databases on Postgres.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from adapters.peers.prefect_api import DEPLOYMENT
from adapters.platform.processes import end_marked
from adapters.settings.settings import Settings
from benchmarks.engines import ENGINES
from benchmarks.postgres import Postgres
from benchmarks.programs import Process, run, running
from benchmarks.servers import SECRET, free_port, memory_of
from cli.programs import up
from cli.programs.api import MALLOC
from cli.programs.supervisor import Program

_READY_WITHIN_S = 120
_LOOK_AGAIN_S = 0.1
_LEFTOVERS_END_WITHIN_S = 10
_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Installation:
    """A running installation."""

    settings: Settings
    log_folder: Path
    receiver: httpx.AsyncClient
    prefect: httpx.AsyncClient
    prefect_database_url: str
    """For SQLAlchemy, to read only."""
    worker: Process
    prefect_server: Process
    api: Process

    def worker_rss_bytes(self) -> int:
        """Resident memory of the worker and of its children."""
        pid = self.worker.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return sum(memory_of(each, "VmRSS") for each in [pid, *map(int, children)])


@asynccontextmanager
async def installation(folder: Path, engine: str, postgres: Postgres | None) -> AsyncIterator[Installation]:
    """Run a new installation in a folder, on Postgres if given, else on the embedded defaults."""
    settings = _settings(folder / "data", postgres)
    database = postgres.new_database("prefect") if postgres else None
    log_folder = folder / "logs"
    for made in (settings.data_dir, log_folder):
        made.mkdir(parents=True, exist_ok=True)
    try:
        with ExitStack() as programs:
            async with (
                _client(settings.receiver_url) as receiver,
                _client(settings.prefect_url, settings.prefect_auth) as prefect,
            ):
                server = programs.enter_context(running(_prefect_server(settings, database), log_folder))
                run(up._cellar(settings, "migrate"), log_folder)
                await _until(lambda: up._answers(prefect, "/health"), server)
                api = programs.enter_context(running(up._cellar(settings, "api", **MALLOC), log_folder))
                await _until(lambda: up._answers(receiver, "/readyz"), api)
                *first, last = ENGINES[engine](settings)
                for program in first:
                    run(program, log_folder)
                worker = programs.enter_context(running(last, log_folder))
                await _until(lambda: up._answers(prefect, f"/deployments/name/{DEPLOYMENT}"), worker)
                yield Installation(
                    settings, log_folder, receiver, prefect, _to_read(settings, database), worker, server, api
                )
    finally:
        await end_marked("=".join(up._mark(settings)), within_s=_LEFTOVERS_END_WITHIN_S)


def _settings(data_dir: Path, postgres: Postgres | None) -> Settings:
    places: dict[str, Any] = {"database_url": postgres.new_database("cellar")} if postgres else {}
    return Settings(
        _env_file=None,
        data_dir=data_dir,
        port=free_port(),
        prefect_port=free_port(),
        webhook_secrets=(SECRET,),
        **places,
    )


def _prefect_server(settings: Settings, database: str | None) -> Program:
    program = up._prefect_server(settings)
    if database is None:
        return program
    url = database.replace("postgresql:", "postgresql+asyncpg:", 1)
    return replace(program, environment={**program.environment, "PREFECT_API_DATABASE_CONNECTION_URL": url})


def _to_read(settings: Settings, database: str | None) -> str:
    if database is None:
        return f"sqlite:///file:{settings.data_dir / 'prefect' / 'prefect.db'}?mode=ro&uri=true"
    return database.replace("postgresql:", "postgresql+psycopg:", 1)


def _client(url: str, auth: tuple[str, str] | None = None) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
    return httpx.AsyncClient(base_url=url, timeout=_TIMEOUT_S, limits=limits, trust_env=False, auth=auth)


async def _until(ready: Callable[[], Awaitable[bool]], process: Process) -> None:
    deadline = time.monotonic() + _READY_WITHIN_S
    while not await ready():
        if process.poll() is not None or time.monotonic() >= deadline:
            raise ChildProcessError(f"a program is not ready, see its log: {process.args!r}")
        await asyncio.sleep(_LOOK_AGAIN_S)

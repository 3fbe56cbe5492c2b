"""Measures bulk re-runs: plan and first run over 100,000 failed archives, and new archives beside a bulk re-run.

    python -m benchmarks.bulk --archives 100000 --rounds 4 --new 15

Each kind of installation, SQLite and Postgres, is measured on its own. New archives are measured in turns, with and
without a bulk re-run of complete archives beside them, and the ratio of each round is printed.
"""

import argparse
import asyncio
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from adapters.database import connections
from adapters.database.transactions import insert_rows, writing
from adapters.settings.settings import Settings
from adapters.settings.settings import settings as settings_here
from adapters.tables.batches import reruns
from benchmarks import archives, engine_parts, machine
from benchmarks.engine import set_up_process
from benchmarks.installations import Installation, installation
from benchmarks.postgres import Postgres, postgres
from models.archive.archive import ArchiveRow, State
from models.runs.batch import BatchAction, BatchKind
from models.runs.receipt import ReceiptRow
from models.views.archives.archives import ArchiveFilter
from services.batches import batches

_CAUSES = ("STORE_AWAY", "RUN_TIMEOUT", "KEY_AWAY")
_TEMPLATES = 40
_FIRST_RUN_WITHIN_S = 60
_REPEATED = 60


def fill(count: int) -> None:
    """Fill the tables with failed archives of three causes. Their bodies do not exist."""
    failed_at = datetime.now(UTC) - timedelta(hours=1)
    with writing() as session:
        insert_rows(session, ReceiptRow, (_receipt(number, failed_at) for number in range(count)))
        insert_rows(session, ArchiveRow, (_archive(number, failed_at) for number in range(count)))


def _receipt(number: int, at: datetime) -> dict[str, Any]:
    receipt = {"receipt_id": f"{number:064x}", "size_bytes": 20_000}
    return receipt | _shared(number, at)


def _archive(number: int, at: datetime) -> dict[str, Any]:
    described = {"template_id": f"template-{number % _TEMPLATES}", "process_number": number, "current_receipt_id": None}
    return described | _shared(number, at)


def _shared(number: int, at: datetime) -> dict[str, Any]:
    return {
        "reference": f"filled-{number:08}",
        "state": State.FAILED,
        "received_at": at - timedelta(seconds=number),
        "completed_at": None,
        "cause_code": _CAUSES[number % len(_CAUSES)],
        "cause_task": "persist-files",
        "cause_error": "Transient",
        "cause_sentence": "A sentence that says what to do.",
        "cause_values": {"sentence": {"code": "text", "values": {"text": "A sentence that says what to do."}}},
        "cause_attempt": 1,
        "cause_since": at,
    }


async def plan_and_first_run(count: int) -> dict[str, float]:
    """Measure a plan over `count` filled archives, and the time from the confirmation until the first run has begun.

    The filled archives have no body, so their runs fail; only the beginning counts.
    """
    await asyncio.to_thread(fill, count)
    began_s = time.perf_counter()
    plan = await asyncio.to_thread(batches.plan, BatchKind.RERUN, ArchiveFilter(state=State.FAILED), "benchmark")
    planned_s = time.perf_counter()
    assert plan.planned == count
    await batches.confirm(plan.id, "benchmark")
    confirmed_s = time.perf_counter()
    while not await asyncio.to_thread(_has_begun, plan.id):
        assert time.perf_counter() < planned_s + _FIRST_RUN_WITHIN_S
        await asyncio.sleep(0.02)
    first_s = time.perf_counter()
    await asyncio.to_thread(batches.change, BatchAction.ABORT, plan.id, "benchmark")
    return {
        "plan_s": planned_s - began_s,
        "confirm_s": confirmed_s - planned_s,
        "first_run_s": first_s - planned_s,
    }


def _has_begun(batch_id: str) -> bool:
    return any(each.last for each in reruns.flights(batch_id)) or batches.view(batch_id).failed > 0


async def beside(site: Installation, template: bytes, new: int, rounds: int) -> dict[str, Any]:
    """Measure new archives in turns, without a bulk re-run and beside it. Return p50s and their ratio by round, and the
    ratio of the p95s of all rounds.
    """
    await engine_parts.burst(site, template, _REPEATED)
    idle, busy, pace = list[float](), list[float](), list[float]()
    all_idle, all_busy = list[float](), list[float]()
    for number in range(rounds):
        for is_busy in (False, True) if number % 2 == 0 else (True, False):
            if not is_busy:
                all_idle += (await engine_parts.idle(site, template, new)).latencies_s
                idle.append(median(all_idle[-new:]))
                continue
            async with _bulk_runs() as ended:
                all_busy += (await engine_parts.idle(site, template, new)).latencies_s
            busy.append(median(all_busy[-new:]))
            pace.append(ended[0])
        print(f"round {number}: idle {idle[-1]:.3f} s, beside {busy[-1]:.3f} s, ratio {busy[-1] / idle[-1]:.2f}")
    ratios = [there / here for here, there in zip(idle, busy, strict=True)]
    p95s = [quantiles(each, n=20)[18] for each in (all_idle, all_busy)]
    p95 = {"p95_s": p95s, "ratio_p95": p95s[1] / p95s[0]}
    return {"idle_p50_s": idle, "beside_p50_s": busy, "ratio": ratios, "bulk_runs_per_s": pace} | p95


class _bulk_runs:  # noqa: N801 -- reads as a verb
    """Run complete archives again in bulk, again and again, until the block ends. Yields the archives per second."""

    async def __aenter__(self) -> list[float]:
        self._pace: list[float] = []
        self._began_s = time.perf_counter()
        self._ids: list[str] = []
        await self._begin()
        self._repeating = asyncio.create_task(self._repeat())
        await asyncio.sleep(3)
        return self._pace

    async def __aexit__(self, *_: object) -> None:
        self._repeating.cancel()
        found = [await asyncio.to_thread(batches.view, each) for each in self._ids]
        self._pace.append(sum(each.done + each.failed for each in found) / (time.perf_counter() - self._began_s))
        for each in found:
            if each.state == "running":
                await asyncio.to_thread(batches.change, BatchAction.ABORT, each.id, "benchmark")
        await asyncio.to_thread(self._until_landed)

    def _until_landed(self) -> None:
        while any(batches.view(each).started for each in self._ids):
            time.sleep(0.2)

    async def _begin(self) -> None:
        plan = await asyncio.to_thread(batches.plan, BatchKind.RERUN, ArchiveFilter(state=State.COMPLETED), "benchmark")
        await batches.confirm(plan.id, "benchmark")
        self._ids.append(plan.id)

    async def _repeat(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            if (await asyncio.to_thread(batches.view, self._ids[-1])).state != "running":
                await self._begin()


@contextmanager
def _here(site: Settings) -> Iterator[None]:
    """Let this process use the database and the Prefect server of an installation."""
    values = {"DATA_DIR": site.data_dir, "PORT": site.port, "PREFECT_PORT": site.prefect_port}
    if site.database_url:
        values["DATABASE_URL"] = site.database_url
    here = {f"CELLAR_{name}": str(value) for name, value in values.items()}
    os.environ.update(here)
    settings_here.cache_clear()
    connections.made_engine.cache_clear()
    yield
    connections.engine().dispose()
    for name in here:
        del os.environ[name]


async def _measure(folder: Path, server: Postgres | None, template: bytes, asked: argparse.Namespace) -> dict[str, Any]:
    async with installation(folder, "cellar", server) as site:
        with _here(site.settings):
            await engine_parts.idle(site, template, 3)
            found: dict[str, Any] = {}
            if asked.rounds:
                found |= await beside(site, template, asked.new, asked.rounds)
            if asked.archives:
                found |= await plan_and_first_run(asked.archives)
            return found


def main(asked: argparse.Namespace) -> None:
    set_up_process()
    template = archives.template()
    with machine.work_folder() as folder:
        for kind in asked.kind or ("sqlite", "postgres"):
            (folder / kind).mkdir()
            with postgres(folder) if kind == "postgres" else nullcontext() as server:
                found = asyncio.run(_measure(folder / kind, server, template, asked))
            print(kind, json.dumps({"machine": machine.described()} | found, default=str))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--archives", type=int, default=100_000, help="failed archives of the plan; 0 leaves it out")
    parser.add_argument("--rounds", type=int, default=4, help="rounds of new archives; 0 leaves them out")
    parser.add_argument("--new", type=int, default=15, help="new archives of each half of a round")
    parser.add_argument("--kind", choices=("sqlite", "postgres"), action="append", help="one kind of installation")
    main(parser.parse_args())

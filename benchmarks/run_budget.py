"""`python -m benchmarks.run_budget`: what a run costs, part by part, in a burst; drawn as `benchmarks/run-budget.svg`.

Milliseconds of processor time come from the kernel. With py-spy in the search path, those of server and worker are cut
by what their threads did when they were sampled, and the shares are of the time in which the interpreter was held.
Tests count the round trips: `tests/flows/test_requests_to_the_database.py`, `test_requests_to_the_bucket.py` and, to
Prefect, `test_process_archive.py` beside them.
"""

import argparse
import asyncio
import json
import re
import shutil
import signal
import subprocess
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from benchmarks import archives, engine_parts, machine
from benchmarks.engine import set_up_process
from benchmarks.installations import Installation, installation
from benchmarks.postgres import Postgres, postgres
from benchmarks.processor_time import _ms_an_archive, _spent_s

PICTURE = Path(__file__).parent / "run-budget.svg"
_WARMING_UP = 20
_SAMPLES_A_SECOND = 150
_PARTS = {
    "prefect server": {
        "events: kept, and compared with triggers": r"event_persister|events/triggers|events/stream",
        "task runs recorded": r"task_run_recorder",
        "events received": r"stream_events_in",
        "runs created": r"create_flow_run_from_deployment",
        "states of runs": r"set_flow_run_state",
        "other requests": r"run_endpoint_function",
        "framework of requests": r"fastapi/|starlette/|uvicorn/",
        "SQL, of all of them": r"sqlalchemy/|aiosqlite/|asyncpg/",
    },
    "worker": {
        "log lines and events sent": r"APILogWorker|EventsWorker|GlobalEventLoop",
        "files persisted": r"services/processing/(persisting|staging)",
        "metadata loaded, archive completed": r"services/processing/completion",
        "records, leases, results": r"tables/runs/|flows/execution/results",
        "requests to Prefect": r"httpx/|prefect/client",
        "Prefect's engine": r"prefect/",
    },
}
"""What the frames of a thread say it did. The first pattern that is found decides."""
_COLOURS = ("#c2571a", "#2a7f8e", "#8a6d1f", "#5b5ea6", "#7f7f7f", "#3d7a3d", "#a33d5e", "#4c78a8", "#8a94a0")
_SCALE, _ROW, _LABEL = 2.6, 20, 330

Budget = dict[str, dict[str, float]]
"""Milliseconds of a run by process and by what it did."""


async def measure(site: Installation, made: bytes, count: int) -> tuple[float, Budget]:
    """Take a burst of archives, and return runs a second and the budget."""
    await engine_parts.burst(site, made, _WARMING_UP)
    pids = {"receiver": site.api.pid, "worker": site.worker.pid, "prefect server": site.prefect_server.pid}
    with ExitStack() as spies:
        sampled = {name: _sampling(spies, pids[name], site.log_folder / f"{name}.samples") for name in _PARTS}
        before = _spent_s({name: [pid] for name, pid in pids.items()})
        burst = await engine_parts.burst(site, made, count)
        spent = _ms_an_archive(before, _spent_s({name: [pid] for name, pid in pids.items()}), count)
    return burst.runs_per_s, {name: _split(name, ms, sampled.get(name)) for name, ms in spent.items()}


def _sampling(spies: ExitStack, pid: int, samples: Path) -> Path:
    if spy := shutil.which("py-spy"):
        asked = ["--nonblocking", "--gil", "--threads", "--format", "raw", "--rate", str(_SAMPLES_A_SECOND)]
        command = [spy, "record", *asked, "--duration", "3600", "--output", str(samples), "--pid", str(pid)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        spies.callback(process.wait)
        spies.callback(process.send_signal, signal.SIGINT)
    return samples


def _split(name: str, ms: float, samples: Path | None) -> dict[str, float]:
    if samples is None or not samples.exists():
        return {"all": ms}
    found = Counter[str]()
    for line in samples.read_text().splitlines():
        frames, _, number = line.rpartition(" ")
        found[next((part for part, of in _PARTS[name].items() if re.search(of, frames)), "other")] += int(number)
    return {part: round(ms * number / found.total(), 1) for part, number in found.most_common()}


def drawn(kinds: dict[str, Budget]) -> str:
    """Return the picture: a bar of each kind and process, cut by what it did."""
    made, top = list[str](), 24
    for kind, budget in kinds.items():
        made.append(f'<text class="t" x="8" y="{top}">{kind}: {sum(map(_sum, budget.values())):.0f} ms a run</text>')
        for name, parts in budget.items():
            top += _ROW
            made.append(f'<text class="t" x="20" y="{top}">{name}, {_sum(parts):.0f} ms</text>')
            for place, (part, ms) in enumerate(parts.items()):
                top += _ROW
                bar = f'<rect x="{_LABEL}" y="{top - 11}" width="{max(1, ms * _SCALE):.0f}" height="12" rx="2"'
                made.append(f'<text x="{_LABEL - 6}" y="{top}" text-anchor="end">{part}</text>')
                made.append(f'{bar} fill="{_COLOURS[place % len(_COLOURS)]}"/>')
                made.append(f'<text x="{_LABEL + max(1, ms * _SCALE) + 5:.0f}" y="{top}">{ms:.1f}</text>')
        top += 2 * _ROW
    style = "text{font:12px system-ui,sans-serif;fill:#57606a}.t{font-weight:600}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="900" height="{top}" viewBox="0 0 900 {top}">'
        f"<style>{style}</style>{''.join(made)}</svg>\n"
    )


def _sum(parts: dict[str, float]) -> float:
    return sum(parts.values())


def main(count: int) -> None:
    set_up_process()
    made, kinds = archives.template(), dict[str, Budget]()
    with machine.work_folder() as folder, postgres(folder) as database:
        for kind, server in (("embedded", None), ("Postgres", database)):
            runs_per_s, kinds[kind] = asyncio.run(_measured(folder / kind, server, made, count))
            print(json.dumps({"kind": kind, "runs_per_s": round(runs_per_s, 2), "ms": kinds[kind]}), flush=True)
    PICTURE.write_text(drawn(kinds))


async def _measured(folder: Path, server: Postgres | None, made: bytes, count: int) -> tuple[float, Budget]:
    async with installation(folder, "cellar", server) as site:
        return await measure(site, made, count)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=150)
    main(parser.parse_args().count)

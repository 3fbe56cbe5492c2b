"""`make bench-engine`: compares cellar's worker with Prefect's stock process worker on 2 cores.

Each engine gets a new installation in each round, and the rounds are interleaved. Results are medians over the rounds,
of each engine's figures and of the ratios within a round.

    python -m benchmarks.engine --only cellar --kind postgres --part burst --count 100

Only a run without such options is written down. A run with options only prints its figures.
"""

import argparse
import asyncio
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.progress import Progress

from benchmarks import archives, engine_parts, machine
from benchmarks.engine_parts import Burst, Idle, Memory, Minute
from benchmarks.engines import ENGINES
from benchmarks.installations import Installation, installation
from benchmarks.postgres import Postgres, postgres

MEASURED = Path(__file__).parent / "measured" / "engine.json"
KINDS = ("postgres", "sqlite")
_CORES = 2
_WARMING_UP = 2
_IN_A_MINUTE = 1000
_MEMORY_FIRST, _MEMORY_LAST = 200, 2000

Figures = Idle | Burst | Minute | Memory

_PARTS: dict[str, Callable[[Installation, bytes, int], Awaitable[Figures]]] = {
    "idle": engine_parts.idle,
    "burst": engine_parts.burst,
    "minute": engine_parts.minute,
    "memory": engine_parts.memory,
}


@dataclass(frozen=True, slots=True)
class Step:
    """A number of archives for one engine. Consecutive steps on one site share an installation."""

    site: str
    kind: str
    engine: str
    part: str
    count: int


def steps(rounds: int) -> Iterator[Step]:
    """Return the whole benchmark. Slow engines get fewer archives, and in later rounds only the parts of a goal."""
    for number in range(rounds):
        for kind in KINDS:
            yield from _round(number, kind)
    # Memory is measured at the worker that gets the thousand archives.
    yield Step("long-postgres", "postgres", "cellar", "memory", _MEMORY_FIRST - _WARMING_UP)
    yield Step("long-postgres", "postgres", "cellar", "minute", _IN_A_MINUTE)
    yield Step("long-postgres", "postgres", "cellar", "memory", _MEMORY_LAST - _MEMORY_FIRST - _IN_A_MINUTE)
    yield Step("long-sqlite", "sqlite", "cellar", "minute", _IN_A_MINUTE)


def _round(number: int, kind: str) -> Iterator[Step]:
    yield Step(f"{number}-{kind}-cellar", kind, "cellar", "idle", 20)
    yield Step(f"{number}-{kind}-cellar", kind, "cellar", "burst", 300)
    for engine in ENGINES:
        if engine != "cellar" and (number == 0 or kind == "postgres"):
            yield Step(f"{number}-{kind}-{engine}", kind, engine, "idle", 4)
        if engine != "cellar" and number == 0:
            yield Step(f"{number}-{kind}-{engine}", kind, engine, "burst", 30)


def chosen(
    planned: Sequence[Step], engine: str | None, kind: str | None, parts: Collection[str], count: int | None
) -> list[Step]:
    return [
        replace(step, count=count or step.count)
        for step in planned
        if engine in (None, step.engine) and kind in (None, step.kind) and (not parts or step.part in parts)
    ]


async def measure(
    planned: Sequence[Step], folder: Path, server: Postgres | None, template: bytes, progress: Progress
) -> list[tuple[Step, Figures]]:
    """Execute the steps in order, and return their figures."""
    task = progress.add_task("steps", total=len(planned))
    measured: list[tuple[Step, Figures]] = []
    for site, on_site in groupby(planned, lambda step: step.site):
        here = list(on_site)
        first = here[0]
        on_postgres = server if first.kind == "postgres" else None
        async with installation(folder / site, first.engine, on_postgres) as running:
            progress.update(task, description=site)
            await engine_parts.idle(running, template, _WARMING_UP)
            for step in here:
                figures = await _PARTS[step.part](running, template, step.count)
                measured.append((step, figures))
                progress.console.print(f"{site}, {step.part}:", _rounded(asdict(figures)))
                progress.advance(task)
    return measured


def document(rounds: int, measured: Sequence[tuple[Step, Figures]]) -> dict[str, Any]:
    """Return the record of a run: the figures of each round by part, kind and engine."""
    found: dict[str, Any] = {}
    for step, figures in measured:
        of_kind = found.setdefault(step.part, {}).setdefault(step.kind, {})
        of_kind.setdefault(step.engine, []).append(_rounded(asdict(figures)))
    return {"machine": machine.described(), "rounds": rounds} | found


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return round(value, 4) if isinstance(value, float) else value


def run(planned: Sequence[Step], folder: Path) -> list[tuple[Step, Figures]]:
    """Execute the steps in a folder, with a Postgres server if a step needs it."""
    needs_postgres = any(step.kind == "postgres" for step in planned)
    template = archives.template()
    with postgres(folder) if needs_postgres else nullcontext() as server, Progress() as progress:
        return asyncio.run(measure(planned, folder, server, template, progress))


def set_up_process() -> None:
    """Limit this process and its children to two cores, and remove the settings of the user's shell.

    SIGTERM ends the process as Ctrl-C does, so that no server is left.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:_CORES])
    for name in [name for name in os.environ if name.startswith(("CELLAR_", "PREFECT_"))]:
        del os.environ[name]


def main(arguments: argparse.Namespace) -> None:
    set_up_process()
    choice = (arguments.only, arguments.kind, arguments.part, arguments.count)
    planned = chosen(list(steps(arguments.rounds)), *choice)
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="cellar-benchmark-", dir=Path.cwd()))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        measured = run(planned, folder.absolute())
    finally:
        if not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)
    if not any(choice):
        MEASURED.write_text(json.dumps(document(arguments.rounds, measured), indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=list(ENGINES), help="one engine")
    parser.add_argument("--kind", choices=KINDS, help="one kind of installation")
    parser.add_argument("--part", choices=list(_PARTS), action="append", help="one part; repeat the option for several")
    parser.add_argument("--count", type=int, help="archives in each part")
    parser.add_argument("--keep", type=Path, help="work in this folder and keep it with all logs")
    main(parser.parse_args())

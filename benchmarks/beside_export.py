"""Measures receiving and processing while form tables are exported, paired against the same without.

    python -m benchmarks.beside_export --rounds 5

One installation on embedded defaults has archives of 40 fields, and exports them as Parquet again and again: by
`cellar export-table`, or by the button of the console, which exports in the receiver's process. In each round, bursts
of archives are posted without an export, beside either kind, and without again. A ratio of 1 means that it costs
nothing.
"""

import argparse
import asyncio
import json
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from statistics import median
from typing import Any

from benchmarks import archives, engine_parts, machine
from benchmarks.engine import set_up_process
from benchmarks.engine_parts import Burst
from benchmarks.exports import TEMPLATE
from benchmarks.installations import Installation, installation
from benchmarks.programs import run, running
from benchmarks.servers import TOKEN, signed_in
from cli.programs import up

_WARMING_UP = 2
_LOOK_AGAIN_S = 0.05
Export = Callable[[Installation, threading.Event], int]
"""Exports until an event is set. Returns how many exports have ended."""


def by_command(site: Installation, stop: threading.Event) -> int:
    program = up._cellar(
        *(site.settings, "export-table", "--template", TEMPLATE, "--to", str(site.log_folder / "leases.parquet"))
    )
    ended = 0
    while not stop.is_set():
        with running(program, site.log_folder) as process:
            while process.poll() is None and not stop.wait(_LOOK_AGAIN_S):
                pass
            if process.poll() not in (None, 0):
                raise ChildProcessError(f"the export failed; see {site.log_folder}")
            ended += process.poll() == 0
    return ended


def by_console(site: Installation, stop: threading.Event) -> int:
    ended = 0
    with signed_in(site.settings.receiver_url) as client:
        while not stop.is_set():
            with client.stream("GET", f"/console/tables/form.parquet?template={TEMPLATE}") as answer:
                answer.raise_for_status()
                ended += all(not stop.is_set() for _ in answer.iter_raw())
    return ended


@contextmanager
def exporting(export: Export | None, site: Installation) -> Iterator[list[int]]:
    """Export in a thread until the block ends. Yield a list that has the number of ended exports then."""
    counts, stop = list[int](), threading.Event()
    thread = threading.Thread(target=lambda: counts.append(export(site, stop) if export else 0))
    thread.start()
    try:
        yield counts
    finally:
        stop.set()
        thread.join()
    if not counts:
        raise ChildProcessError("the export failed")


async def measure(folder: Any, template: bytes, given: argparse.Namespace) -> dict[str, Any]:
    turns: Mapping[str, Export | None] = {"before": None, "command": by_command, "console": by_console, "after": None}
    found: dict[str, list[Any]] = {}
    async with installation(folder, "cellar", None, api_tokens=(TOKEN,)) as site:
        await engine_parts.idle(site, template, _WARMING_UP)  # a store without archives is held to be away
        filled = f"from benchmarks.exports import fill; fill({given.archives})"
        run(replace(up._cellar(site.settings, "fill"), command=[sys.executable, "-c", filled]), site.log_folder)
        for _ in range(given.rounds):
            bursts = dict[str, Burst]()
            for name, export in turns.items():
                with exporting(export, site) as counts:
                    await asyncio.sleep(2)  # the command has begun to read by then
                    bursts[name] = await engine_parts.burst(site, template, given.count)
                found.setdefault(f"exports ended, {name}", []).extend(counts)
            for figure, of in (("processed", _processed), ("received", _received)):
                without = (of(bursts["before"]) + of(bursts["after"])) / 2
                found.setdefault(f"{figure} a second, alone", []).append(round(without, 1))
                for name in ("command", "console"):
                    found.setdefault(f"{figure}, {name}", []).append(round(of(bursts[name]) / without, 2))
    ratios = {name: round(median(each), 2) for name, each in found.items() if ", c" in name and "exports" not in name}
    return {**found, "median of the ratios": ratios}


def _processed(burst: Burst) -> float:
    return burst.runs_per_s


def _received(burst: Burst) -> float:
    return burst.posted / burst.posted_within_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archives", type=int, default=30_000, help="rows of the exported table")
    parser.add_argument("--count", type=int, default=60, help="archives in a burst")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    set_up_process()
    template = archives.template()
    with machine.work_folder() as folder:
        print(json.dumps({"machine": machine.described(), **asyncio.run(measure(folder, template, given))}, indent=1))


if __name__ == "__main__":
    main()

"""`python -m benchmarks.backlog`: new archives while a backlog drains, as after an outage of the worker.

The worker is stopped while the backlog is posted, and goes on. Then new archives are posted one after the other, until
their number is reached or the backlog is drained. Prints runs/s of all, and the seconds from the acknowledgement of the
new ones to Completed.
"""

import argparse
import asyncio
import json
import os
import signal
import time
from pathlib import Path
from statistics import quantiles

from benchmarks import archives, engine_parts, history, machine
from benchmarks.engine import set_up_process
from benchmarks.installations import installation
from benchmarks.posting import post_at_once

_WARMING_UP = 2
_LANES = 16
_OLD_AFTER_S = 12
"""Runs that have been due for ten seconds count as old: see `flows/worker/due_runs.py`."""


async def measure(folder: Path, made: bytes, count: int, new: int) -> dict[str, float]:
    """Return the figures of a backlog of `count` archives and at most `new` new ones, on the embedded defaults."""
    async with installation(folder, "cellar", None) as site:
        await engine_parts.idle(site, made, _WARMING_UP)
        before = await history.count_runs(site.prefect)
        os.kill(site.worker.pid, signal.SIGSTOP)
        await post_at_once(site.receiver, made, archives.references(count), _LANES)
        await engine_parts.reached(lambda: history.count_made(site.prefect), before + count)
        await asyncio.sleep(_OLD_AFTER_S)
        began_s, seconds = time.monotonic(), list[float]()
        os.kill(site.worker.pid, signal.SIGCONT)
        for reference in archives.references(new):
            seconds.append(await engine_parts.taken_s(site, made, reference))
            if await history.count_runs(site.prefect) >= before + count:
                break
        done = await history.count_runs(site.prefect) - before
        cuts = quantiles(seconds, n=20, method="inclusive")
        return {
            "runs_per_s": round(done / (time.monotonic() - began_s), 2),
            "new": len(seconds),
            "new_p50_s": round(cuts[9], 2),
            "new_p95_s": round(cuts[18], 2),
            "left": count + len(seconds) - done,
        }


def main(count: int, new: int) -> None:
    set_up_process()
    made = archives.template()
    with machine.work_folder() as folder:
        print(json.dumps(asyncio.run(measure(folder, made, count, new))))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--new", type=int, default=200)
    arguments = parser.parse_args()
    main(arguments.count, arguments.new)

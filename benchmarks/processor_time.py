"""Compares the processor time of an archive in both forms: `python -m benchmarks.processor_time [ARCHIVES]`.

The embedded form has one process of each kind on SQLite and folders, the distributed one two of each on Postgres, a
bucket and Redis. Both take a burst of the same archives. The forms take turns, and the median of the rounds' ratios
counts. The processor time of Postgres, S3, Redis and nginx has a column of its own and is not in the ratio: in the
embedded form, the programs themselves do the work of SQLite and of the files.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from statistics import median

import httpx
import psutil

from benchmarks import engine_parts
from benchmarks.archives import references, template
from benchmarks.installations import installation
from benchmarks.machine import described
from benchmarks.posting import post_at_once
from benchmarks.servers import SECRET
from tests.distributed.outcome import queried
from tests.distributed.stack import Stack, distributed

_ARCHIVES = 60
_ROUNDS = 3
_LANES = 4
_COMPLETE_WITHIN_S = 3600
_GROUPS = {"receiver": "receiver", "worker": "worker", "prefect": "prefect server"}

Spent = dict[str, float]


def main(archives: int) -> None:
    made = template()
    rounds: dict[str, list[Spent]] = {"embedded": [], "distributed": []}
    for _ in range(_ROUNDS):
        with tempfile.TemporaryDirectory(prefix="cellar-benchmark-") as folder:
            rounds["embedded"].append(asyncio.run(_embedded(Path(folder), made, archives)))
        with tempfile.TemporaryDirectory(prefix="cellar-benchmark-") as folder:
            rounds["distributed"].append(_distributed(Path(folder), made, archives))
        print(json.dumps({form: each[-1] for form, each in rounds.items()}), flush=True)
    medians = {
        form: {name: round(median(each[name] for each in spent), 1) for name in spent[0]}
        for form, spent in rounds.items()
    }
    ratios = [_ours(two) / _ours(one) for one, two in zip(rounds["embedded"], rounds["distributed"], strict=True)]
    found = {"ms_an_archive": medians, "ratios": [round(each, 2) for each in ratios], "machine": described()}
    print(json.dumps(found | {"median_ratio_without_engines": round(median(ratios), 2)}, indent=2))


def _ours(spent: Spent) -> float:
    return sum(value for name, value in spent.items() if name != "engines")


async def _embedded(folder: Path, made: bytes, archives: int) -> Spent:
    async with installation(folder, "cellar", None) as site:
        await engine_parts.burst(site, made, max(4, archives // 10))
        pids = {"receiver": [site.api.pid], "worker": [site.worker.pid], "prefect server": [site.prefect_server.pid]}
        before = _spent_s(pids)
        await engine_parts.burst(site, made, archives)
        return _ms_an_archive(before, _spent_s(pids), archives)


def _distributed(folder: Path, made: bytes, archives: int) -> Spent:
    with distributed(folder, webhook_secrets=SECRET) as stack:
        _burst(stack, made, max(4, archives // 10))
        pids: dict[str, list[int]] = {}
        for name, process in stack.processes.items():
            assert process.running
            pids.setdefault(_GROUPS.get(name.partition("-")[0], "engines"), []).append(process.running.pid)
        before = _spent_s(pids)
        _burst(stack, made, archives)
        return _ms_an_archive(before, _spent_s(pids), archives)


def _burst(stack: Stack, made: bytes, archives: int) -> None:
    """Send archives as fast as they are acknowledged, and wait until the last is completed."""
    deadline, before = time.monotonic() + _COMPLETE_WITHIN_S, _completed(stack)
    asyncio.run(_post(stack, made, archives))
    while _completed(stack) < before + archives:
        assert time.monotonic() < deadline, f"the burst is not completed after {_COMPLETE_WITHIN_S} s"
        time.sleep(0.5)


async def _post(stack: Stack, made: bytes, archives: int) -> None:
    async with httpx.AsyncClient(base_url=stack.url, timeout=120, trust_env=False) as receiver:
        posted = await post_at_once(receiver, made, references(archives), _LANES)
    assert all(each.is_acknowledged for each in posted)


def _completed(stack: Stack) -> int:
    return int(queried(stack.database_url, "SELECT count(*) FROM receipt WHERE state = 'completed'")[0][0])


def _spent_s(pids: Mapping[str, list[int]]) -> Counter[str]:
    """Return the processor seconds of each group so far, with those of children that have ended."""
    spent = Counter[str]()
    for group, parents in pids.items():
        for parent in map(psutil.Process, parents):
            for each in [parent, *parent.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    spent[group] += sum(each.cpu_times()[:4])
    return spent


def _ms_an_archive(before: Counter[str], after: Counter[str], archives: int) -> Spent:
    return {group: round((after[group] - before[group]) / archives * 1000, 1) for group in after}


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else _ARCHIVES)

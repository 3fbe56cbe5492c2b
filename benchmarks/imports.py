"""`make bench-imports`: compares an import with posting the same archives to the webhook until they are Completed.

With `--new`, it measures how soon new archives are Completed at rest, and in turn during an import of `--count`.

Both are one installation on embedded defaults, on 2 cores. Each round imports and posts as many archives of 20 KB, in
turn, and the median of the ratios within the rounds counts.

    python -m benchmarks.imports --count 20000 --rounds 1
"""

import argparse
import asyncio
import json
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from benchmarks import bodies, machine
from benchmarks.archives import references
from benchmarks.engine import set_up_process
from benchmarks.engine_parts import burst, idle
from benchmarks.installations import Installation, installation
from benchmarks.programs import run
from cli.programs import up

_SIZE_BYTES = 20_000
_PLACEHOLDER = b"@reference@"
_LOOK_AGAIN_S = 0.25
_BEGUN_WITHIN_S = 3
_WARMING_UP = 8
_DEPLOYMENT = "import-archives/import-archives"


@dataclass(frozen=True, slots=True)
class Round:
    """Archives a second, until all are Completed."""

    webhook: float
    imported: float

    @property
    def ratio(self) -> float:
        return self.imported / self.webhook


def template() -> bytes:
    """Return an archive of 20 KB with a form, a payment and a file, without its reference."""
    made = bodies.template(_SIZE_BYTES, 1)
    document = json.loads(made.before + b"0" * 12 + made.after)
    payment = document["payments"][0]
    text = json.dumps(document)
    # Else each archive would have warnings of its own, and would reconcile all earlier archives.
    shared = (payment["transaction_id"], payment["provider_transaction_result"]["cguid"])
    for each in (document["reference"], document["sessions"][0]["reference"], *shared):
        text = text.replace(each, _PLACEHOLDER.decode())
    return text.encode()


async def measure(folder: Path, count: int, rounds: int) -> list[Round]:
    made = template()
    async with installation(folder / "site", "cellar", None) as site:
        await burst(site, made, _WARMING_UP)
        await _imported_per_s(site, folder / "warming-up", made, _WARMING_UP)
        found = []
        for number in range(rounds):
            found.append(await _round(site, folder / str(number), made, count, imports_first=number % 2 == 1))
            print(f"round {number + 1}: {found[-1].imported:.1f} and {found[-1].webhook:.1f} a second", flush=True)
    return found


async def _round(site: Installation, folder: Path, made: bytes, count: int, *, imports_first: bool) -> Round:
    imported = await _imported_per_s(site, folder, made, count) if imports_first else 0.0
    posted = await burst(site, made, count)
    if posted.completed != count:
        raise ValueError(f"expected {count} Completed runs, got {posted.completed}; see {site.log_folder}")
    return Round(posted.runs_per_s, imported or await _imported_per_s(site, folder, made, count))


async def beside(folder: Path, count: int, rounds: int, new: int) -> dict[str, Any]:
    """Measure new archives in turns, at rest and during an import of `count`, until Completed."""
    made = template()
    found: dict[str, list[float]] = {"at rest": [], "during an import": []}
    imported = []
    async with installation(folder / "site", "cellar", None) as site:
        await burst(site, made, _WARMING_UP)
        for number in range(rounds):
            for is_beside in (False, True) if number % 2 == 0 else (True, False):
                if not is_beside:
                    found["at rest"] += (await idle(site, made, new)).latencies_s
                    continue
                importing = asyncio.create_task(_imported_per_s(site, folder / str(number), made, count))
                await asyncio.sleep(_BEGUN_WITHIN_S)
                found["during an import"] += (await idle(site, made, new)).latencies_s
                print(f"the import was {'over too early' if importing.done() else 'under way all the time'}")
                imported.append(round(await importing, 1))
    told = {name: [round(median(s), 3), round(quantiles(s, n=20)[18], 3)] for name, s in found.items()}
    at_rest, during = told.values()
    ratios = {"ratio p50": round(during[0] / at_rest[0], 2), "ratio p95": round(during[1] / at_rest[1], 2)}
    return told | ratios | {"imported per s": imported, "new": len(found["at rest"])}


async def _imported_per_s(site: Installation, folder: Path, made: bytes, count: int) -> float:
    """Save archives into a folder, import it, and return how many were archived a second, from the command on."""
    await asyncio.to_thread(_save, folder, made, count)
    deployment = (await site.prefect.get(f"/deployments/name/{_DEPLOYMENT}")).raise_for_status().json()["id"]
    waiting = site.settings.data_dir / "inbox" / "imported"
    since_s = time.monotonic()
    await asyncio.to_thread(run, up._cellar(site.settings, "import", str(folder)), site.log_folder)
    took_in_s = time.monotonic() - since_s
    (await site.prefect.post(f"/deployments/{deployment}/create_flow_run", json={})).raise_for_status()
    while any(waiting.glob("*.json")):  # noqa: ASYNC110 -- another process archives them
        await asyncio.sleep(_LOOK_AGAIN_S)
    took_s = time.monotonic() - since_s
    print(f"taken in {count / took_in_s:.1f}, then archived {count / (took_s - took_in_s):.1f} a second", flush=True)
    return count / took_s


def _save(folder: Path, made: bytes, count: int) -> None:
    folder.mkdir()
    for reference in references(count):
        (folder / f"{reference}.json").write_bytes(made.replace(_PLACEHOLDER, reference.encode()))


def main(arguments: argparse.Namespace) -> None:
    set_up_process()
    with machine.work_folder() as folder:
        if arguments.new:
            told = asyncio.run(beside(folder, arguments.count, arguments.rounds, arguments.new))
            print(json.dumps({"machine": machine.described(), "count": arguments.count} | told, indent=1))
            return
        found = asyncio.run(measure(folder, arguments.count, arguments.rounds))
    ratios = [round(each.ratio, 2) for each in found]
    told = {"machine": machine.described(), "count": arguments.count, "ratios": ratios, "median": median(ratios)}
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=500, help="archives in each round, of either way")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--new", type=int, default=0, help="new archives of each half of a round; 0 leaves them out")
    main(parser.parse_args())

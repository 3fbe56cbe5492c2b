"""`make bench-grown`: receiving, processing and two pages beside 1,000,000 archives, against the same beside 1,000.

    python -m benchmarks.grown --archives 100000 --rounds 2 --burst 30
    python -m benchmarks.grown --archives 100000 --rounds 2 --burst 30 --lacking

Two installations on embedded defaults run at the same time, and take turns: small, large, large, small. The database of
each holds copies of one archive that was really processed: a row in each of its tables, and its facets. Store and
Prefect's database hold the archives of the benchmark alone. A ratio is that of a round; the median counts. With
`--lacking`, the worker of the large one fills in the search for all its archives meanwhile.
"""

import argparse
import asyncio
import json
import shutil
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median, quantiles

import httpx

from benchmarks import archives, engine_parts, machine
from benchmarks.archives import references
from benchmarks.engine import set_up_process
from benchmarks.grown.multiplying import multiply
from benchmarks.installations import Installation, installation
from benchmarks.servers import TOKEN, signed_in

_SMALL = 1000
_PAGES = 40


async def _template(folder: Path, template: bytes) -> Path:
    """Return a database with one processed archive."""
    async with installation(folder / "template", "cellar", None) as site:
        await engine_parts.idle(site, template, 1)
    return site.settings.data_dir


async def _measured(folder: Path, template: bytes, given: argparse.Namespace) -> dict[str, object]:
    seed = await _template(folder, template)
    rows = {}
    for name, count in (("small", _SMALL), ("large", given.archives)):
        data_dir = folder / name / "data"
        data_dir.mkdir(parents=True)
        _copied(seed / "cellar.db", data_dir / "cellar.db")
        for each in ("store", "secrets"):  # archives wait for a store that is empty beside a database, and for its key
            shutil.copytree(seed / each, data_dir / each)
        began_s = time.monotonic()
        rows[name] = multiply(data_dir / "cellar.db", count)
        if given.lacking and name == "large":
            with closing(sqlite3.connect(data_dir / "cellar.db")) as connection, connection:
                connection.execute("UPDATE search_entry SET version = 0")
        size_mb = (data_dir / "cellar.db").stat().st_size / 1e6
        print(f"{name}: {count:,} archives, {rows[name]:,} rows, {size_mb:,.0f} MB", end="")
        print(f", made in {time.monotonic() - began_s:.0f} s", flush=True)
    values = {"api_tokens": (TOKEN,)}
    async with (
        installation(folder / "small", "cellar", None, **values) as small,
        installation(folder / "large", "cellar", None, **values) as large,
    ):
        for site in (small, large):
            await engine_parts.idle(site, template, 3)
        rates = [await _round(small, large, template, given.burst) for _ in range(given.rounds)]
        pages = {name: await _pages(site, template) for name, site in (("small", small), ("large", large))}
    return {"machine": machine.described(), "rows": rows, "rates": rates, "pages, p50 and p95 ms": pages}


def _copied(database: Path, to: Path) -> None:
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)  # with what still lies in the write-ahead log


async def _round(small: Installation, large: Installation, template: bytes, count: int) -> dict[str, float]:
    """Return the ratios of the large installation's rates to the small one's: acknowledged, and completed."""
    acknowledged, completed = [], []
    for site in (small, large, large, small):
        burst = await engine_parts.burst(site, template, count)
        acknowledged.append(burst.posted / burst.posted_within_s)
        completed.append(burst.runs_per_s)
    found = {"acknowledged": _ratio(acknowledged), "completed": _ratio(completed)}
    print({name: round(each, 3) for name, each in found.items()}, acknowledged, completed, flush=True)
    return found


def _ratio(rates: list[float]) -> float:
    return (rates[1] + rates[2]) / (rates[0] + rates[3])


async def _pages(site: Installation, template: bytes) -> dict[str, tuple[float, float]]:
    """Return p50 and p95 in milliseconds of the overview and of dossiers, for a person who is signed in."""
    new = references(4)
    for each in new:
        await engine_parts.taken(site, template, each)
    with signed_in(site.settings.receiver_url) as person:
        asked = {"overview": ["/console/"], "dossier": [f"/console/archives/{each}" for each in new]}
        return {name: _times(person, paths) for name, paths in asked.items()}


def _times(person: httpx.Client, paths: list[str]) -> tuple[float, float]:
    taken_ms = []
    for number in range(_PAGES + 1):
        began_s = time.monotonic()
        answer = person.get(paths[number % len(paths)])
        assert answer.status_code == httpx.codes.OK, (answer.url, answer.status_code)
        taken_ms.append((time.monotonic() - began_s) * 1000)
    return round(median(taken_ms[1:]), 1), round(quantiles(taken_ms[1:], n=20, method="inclusive")[18], 1)


def main(given: argparse.Namespace) -> None:
    set_up_process()
    template = archives.template()
    with tempfile.TemporaryDirectory(prefix="cellar-benchmark-", dir=given.folder or Path.cwd()) as folder:
        found = asyncio.run(_measured(Path(folder), template, given))
    rates: list[dict[str, float]] = found["rates"]  # type: ignore[assignment]
    found["median ratios"] = {name: round(median(each[name] for each in rates), 3) for name in rates[0]}
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archives", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--burst", type=int, default=60)
    parser.add_argument("--lacking", action="store_true", help="let a worker fill in the search meanwhile")
    parser.add_argument("--folder", type=Path, help="where the databases are made; they take some GB")
    main(parser.parse_args())

"""Measures pages of the list of archives: each filter, each pair of filters, and searches of text.

    python -m benchmarks.search --archives 1000000 --rounds 5 --kinds sqlite postgres

Each kind of database is filled once and kept in its folder while it runs. Filters are measured in turns, so that what
else the machine does spreads over all of them. Prints a table in Markdown, and the plans of the queries.
"""

import argparse
import os
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

from adapters.database import connections
from adapters.database.migration import migrate
from adapters.settings.settings import settings
from benchmarks import machine
from benchmarks.postgres import Postgres, postgres
from benchmarks.search.asked import Filter, filters, pairs, seconds
from benchmarks.search.filling import fill
from benchmarks.search.plans import plans_of
from models.access import CELLAR
from models.views.archives.archives import ArchiveQuery
from services.views import archive_list

_GOAL_MS = 100


@dataclass(frozen=True, slots=True)
class Moment:
    """A wall-clock time and the processor time of this process, or a difference of both, in ms."""

    wall_ms: float
    processor_ms: float

    @classmethod
    def now(cls) -> "Moment":
        return cls(time.perf_counter() * 1000, time.process_time() * 1000)

    def passed(self) -> "Moment":
        now = Moment.now()
        return Moment(now.wall_ms - self.wall_ms, now.processor_ms - self.processor_ms)


Times = dict[str, list[Moment]]


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--archives", type=int, default=1_000_000)
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--kinds", nargs="+", default=["sqlite", "postgres"])
    asked.add_argument("--folder", type=Path, help="keeps the SQLite database, and uses it again if it is there")
    asked.add_argument("--database", help="the URL of a Postgres database: empty, or filled by an earlier call")
    given = asked.parse_args()
    print(machine.described())
    for kind in given.kinds:
        with _installed(kind, given.folder, given.database):
            _filled(given.archives)
            _measured(given.archives, given.rounds)


@contextmanager
def _installed(kind: str, folder: Path | None, url: str | None) -> Iterator[None]:
    kept = folder or Path(tempfile.mkdtemp(prefix="cellar-search-"))
    kept.mkdir(parents=True, exist_ok=True)
    server = postgres(kept) if kind == "postgres" and not url else nullcontext(None)
    with server as started:
        made = _url(kind, kept, url, started)
        os.environ.update(CELLAR_DATA_DIR=str(kept), CELLAR_SEARCH_FIELDS="*", CELLAR_DATABASE_URL=made)
        settings.cache_clear()
        connections.made_engine.cache_clear()
        yield
        connections.engine().dispose()
    if folder is None:
        shutil.rmtree(kept)


def _url(kind: str, folder: Path, url: str | None, server: Postgres | None) -> str:
    if kind == "sqlite":
        return f"sqlite:///{folder}/search.db"
    return url or (server.new_database("search") if server else "")


def _filled(count: int) -> None:
    migrate()
    if not archive_list.page(ArchiveQuery(limit=1), CELLAR).items:
        started = time.monotonic()
        fill(count)
        print(f"filled {count:,} archives in {time.monotonic() - started:.0f} s", flush=True)


def _measured(count: int, rounds: int) -> None:
    kind = connections.engine().dialect.name
    singles, both, second = filters(count), pairs(count), seconds(count)
    for each in (*singles, *second):
        each.ask(each.draw(random.Random(0)))  # warms the caches, as a running installation has them
    times, of_pairs, of_second = Times(), Times(), Times()
    for number in range(rounds):
        _round(singles, number, times)
        _round(both, number, of_pairs)
        _round(second, number, of_second)
    print(f"\n{kind}, {count:,} archives, load {os.getloadavg()[0]:.1f}\n")
    _table({**times, "any pair of filters": [each for its in of_pairs.values() for each in its]})
    worst = sorted(of_pairs, key=lambda name: -max(each.wall_ms for each in of_pairs[name]))[:10]
    print("\nthe slowest pairs\n")
    _table({name: of_pairs[name] for name in worst})
    print("\nfacets and orders, over the newest 10,000 matches\n")
    _table(of_second, second[0].goal_ms)
    for each in (*singles, *second):
        print("\n".join([f"\n{each.name}", *plans_of(lambda each=each: each.ask(each.draw(random.Random(0))))]))  # type: ignore[misc] # mypy cannot infer a default argument


def _round(asked: list[Filter], seed: int, times: Times) -> None:
    drawn = random.Random(seed)
    for each in drawn.sample(asked, len(asked)):
        for _ in range(4):
            query = each.draw(drawn)
            started = Moment.now()
            each.ask(query)
            times.setdefault(each.name, []).append(started.passed())


def _table(times: Times, goal_ms: int = _GOAL_MS) -> None:
    heads = ["filter", "pages", "p50 ms", "p95 ms", "worst ms", "p95 of this process's processor time, ms", ""]
    print(f"| {' | '.join(heads)} |\n|{' --- |' * len(heads)}")
    for name, its in sorted(times.items()):
        wall = [each.wall_ms for each in its]
        p50, p95 = (quantiles(wall, n=20, method="inclusive")[at] for at in (9, 18))
        busy = quantiles([each.processor_ms for each in its], n=20, method="inclusive")[18]
        late = "" if p95 <= goal_ms else "falls short"
        print(f"| {name} | {len(its)} | {p50:.1f} | {p95:.1f} | {max(wall):.1f} | {busy:.1f} | {late} |")


if __name__ == "__main__":
    main()

"""Measures what entries cost when an archive is written: registered, begun, loaded and completed, in pairs.

    python -m benchmarks.search.costs --folder FOLDER --pairs 200

The database is the one that `python -m benchmarks.search --folder FOLDER` has filled, or an empty one. In each pair one
archive is written with its entry and one without, in turns which is first.
"""

import argparse
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from uuid import uuid4

from sqlmodel import func, select

from adapters.database import transactions
from adapters.database.migration import migrate
from adapters.database.transactions import reading
from adapters.search import entries
from adapters.settings.settings import settings
from adapters.tables.archives import archives
from adapters.tables.runs import receipts
from benchmarks import machine
from domain.archive.rows import rows_of
from models.archive.archive import ArchiveRow, State
from models.runs.receipt import Delivery, VersionRow
from tests.domain.payloads import TERMS, fingerprint, read
from tests.records import document

_WRITERS = ("add", "set_archive", "set_payload")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--folder", type=Path, required=True)
    asked.add_argument("--database", help="the URL of a Postgres database")
    asked.add_argument("--pairs", type=int, default=200)
    given = asked.parse_args()
    location = given.database or f"sqlite:///{given.folder}/search.db"
    os.environ.update(CELLAR_DATA_DIR=str(given.folder), CELLAR_SEARCH_FIELDS="*", CELLAR_DATABASE_URL=location)
    settings.cache_clear()
    migrate()
    with reading() as session:
        count = session.exec(select(func.count()).select_from(ArchiveRow)).one()
    print(machine.described(), transactions.engine().dialect.name, f"{count:,} archives before")
    pairs = [_pair(number) for number in range(given.pairs)]
    _print("wall", [(each.wall_ms, other.wall_ms) for each, other in pairs])
    _print("processor", [(each.processor_ms, other.processor_ms) for each, other in pairs])


@dataclass(frozen=True, slots=True)
class Cost:
    wall_ms: float
    processor_ms: float


def _pair(number: int) -> tuple[Cost, Cost]:
    """Return the cost of an archive with its entry, and of one without."""
    if number % 2:
        without = _without()
        return _written(number), without
    return _written(number), _without(number)


def _without(number: int = 0) -> Cost:
    with _no_entries():
        return _written(number)


@contextmanager
def _no_entries() -> Iterator[None]:
    kept = {name: getattr(entries, name) for name in _WRITERS}
    for name in _WRITERS:
        setattr(entries, name, lambda *_, **__: None)
    try:
        yield
    finally:
        for name, writer in kept.items():
            setattr(entries, name, writer)


def _written(number: int) -> Cost:
    """Write an archive of the sample as the receiver and a run do, without its files, and return what it cost."""
    reference, now = f"cost-{uuid4().hex}", datetime.now(UTC)
    delivery = Delivery(uuid4().hex, uuid4().hex, reference, now, 20_000, {})
    archive = read(document(reference, id=f"s-{uuid4().hex}", process_number=number))
    rows = rows_of(archive, TERMS, fingerprint)
    version = VersionRow(
        receipt_id=delivery.receipt_id, reference=reference, version=1, received_at=now, skeleton=b"x" * 9000
    )
    wall_s, processor_s = time.perf_counter(), time.process_time()
    receipts.register(delivery)
    receipts.set_state(delivery.receipt_id, State.PROCESSING, now)
    archives.load(version, {"template_id": "lease", "process_number": number}, rows)
    receipts.set_state(delivery.receipt_id, State.COMPLETED, now)
    return Cost((time.perf_counter() - wall_s) * 1000, (time.process_time() - processor_s) * 1000)


def _print(what: str, pairs: list[tuple[float, float]]) -> None:
    cost = median(with_entry - without for with_entry, without in pairs)
    both = f"{median(each for each, _ in pairs):.2f} with, {median(each for _, each in pairs):.2f} without an entry"
    print(f"{what} time of an archive, ms: {both}; the median difference of {len(pairs)} pairs is {cost:.2f}")


if __name__ == "__main__":
    main()

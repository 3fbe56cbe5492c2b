"""What is wrong with the access log by its chains, and by its rows in the store, of which anchors name the files; and
old rows leave.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from adapters.anchors import anchors
from adapters.files.store import store
from adapters.settings.settings import settings
from adapters.store import happened
from adapters.tables import access
from domain.access_log import Kept, wrong_rows
from models.errors import Conflict
from models.store.fixity import FixityFinding

OVERLAP = timedelta(days=1)
"""How much later than its time a row may be committed, or another machine's clock may be behind."""


def kept_since(now: datetime) -> datetime:
    """Return since when the rows are kept that were written to the store."""
    return now - timedelta(days=settings().access_kept_days) - OVERLAP


def remove_old(now: datetime) -> None:
    """Remove the rows that are older than the log is kept, then their files, which say which have left."""
    until = kept_since(now)
    for _, rows in happened.access_rows(until=until):
        in_order = sorted(rows, key=lambda row: int(row["number"]))  # those of a commit are in any order
        access.remove_until({row["chain"]: row["number"] for row in in_order})
    happened.remove_access_before(until)


def wrong_access() -> Iterator[FixityFinding]:
    """Find rows of the access log that were changed, removed, exchanged or put in, as far as chains and files show.

    A file that is damaged, or that an anchor has and the store lacks, is found elsewhere.
    """
    anchored_at = sorted(_anchored_at())
    kept = Kept(max(anchored_at) - OVERLAP if anchored_at else None)
    for day, rows in happened.access_rows(since=kept_since(datetime.now(UTC))):
        before = max((each for each in anchored_at if each < day), default=None)
        yield from kept.add(rows, before and before - OVERLAP)
    yield from wrong_rows(access.every(), kept)


def _anchored_at() -> Iterator[datetime]:
    """Yield the times of the anchors. One that is damaged is found elsewhere."""
    for number, names in anchors.listed(store()).items():
        with suppress(Conflict):
            if anchor := anchors.anchor_at(store(), number, names):
                yield anchor.statement.at

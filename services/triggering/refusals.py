"""Lists refused deliveries: gives each record in quarantine its row in the database. Every step is idempotent."""

import asyncio
from collections.abc import Iterable, Sequence

from adapters.database.transactions import pages
from adapters.inbox import quarantine
from adapters.tables.runs import refused
from models.runs.receipt import RefusedDelivery

MOST_LISTED_AT_ONCE = 1000


async def list_all_refused() -> int:
    """List the refused deliveries and releases that the database does not have yet. Return how many there were.

    Raises:
        Transient: the database or the inbox's bucket does not answer; the sweep tries again.
    """
    return await asyncio.to_thread(lambda: _list(quarantine.unlisted()))


async def list_refused(announced: Sequence[RefusedDelivery]) -> int:
    """List these refused deliveries, as `list_all_refused` does, unless that has listed them in the meantime."""
    return await asyncio.to_thread(lambda: _list(filter(quarantine.is_unlisted, announced)))


def restore_refused() -> int:
    """Record every refused delivery of the quarantine in an empty database, and return how many there are.

    Raises:
        Transient: the database or the inbox's bucket does not answer.
    """
    deliveries = quarantine.refused()
    for page in pages(deliveries, MOST_LISTED_AT_ONCE):
        refused.record(page)
    return len(deliveries)


def _list(deliveries: Iterable[RefusedDelivery]) -> int:
    """Record rows first: a record leaves the search only when its row is in the database."""
    count = 0
    for page in pages(deliveries, MOST_LISTED_AT_ONCE):
        refused.record(page)
        for delivery in page:
            quarantine.set_listed(delivery)
        quarantine.sync_listed()
        for delivery in page:
            quarantine.forget_unlisted(delivery)
        count += len(page)
    return count

"""Completes what waits in the inbox, by the functions that the flow calls: `python -m tests.faults.completing`.

A program of its own, so that it can be killed and so that its disk can lose power.
"""

import time
from contextlib import suppress

from adapters.inbox import inbox
from adapters.store.tombstones import known_digest
from adapters.tables.runs import receipts
from models.errors import CellarError
from tests.installations import finished

COMPLETES = "completes what waits"


def complete_inbox() -> int:
    """Complete every delivery in the inbox, and return how many there were."""
    waiting = list(inbox.deliveries())
    for each in waiting:
        receipts.register_all([each], known_digest(each.reference))
    for each in waiting:
        if inbox.has_body(each.receipt_id):
            finished(each.reference, each.receipt_id)
        else:  # a duplicate whose archive has just been completed
            inbox.remove([each.delivery_id])
    return len(waiting)


if __name__ == "__main__":
    print(COMPLETES, flush=True)  # noqa: T201 -- it is imported, which takes seconds
    while True:
        with suppress(CellarError):
            complete_inbox()
        time.sleep(0.05)

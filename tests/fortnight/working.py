"""The work of a worker, without Prefect, by the clock of the fortnight: `python -m tests.fortnight.working CLOCK PID`.

Each line of its input is a number and a time: it does a round of all scheduled work at that time, and answers when it
begins and when it is done. The order is that of the day: what has arrived is archived, then what is missing is looked
for, messages are delivered, and people are told.

Messages are delivered a little later in each round than in the round before. So 75 hours after an attempt have passed
in the round that is 75 hours later, however many milliseconds either takes.
"""

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from adapters.inbox import inbox
from adapters.store.tombstones import known_digest
from adapters.tables.runs import receipts
from services.completeness.finding_missing import announce_missing, find_missing
from services.completeness.session_events import take_in_left
from services.messages.deliveries import deliver_due, due_endpoints, give_up_expired
from services.people.letters import tell
from tests.fortnight.clock import Clock
from tests.fortnight.nursery import keep_running
from tests.fortnight.plan import BEGIN, DAYS, DELIVERS_AFTER, LOOKS_AFTER
from tests.installations import finished

_LATER = timedelta(minutes=1) / timedelta(days=DAYS)


def work(at: datetime, clock: Clock) -> None:
    """Do a round of all scheduled work."""
    clock.set(at)
    asyncio.run(take_in_left())
    for delivery in list(inbox.deliveries()):
        receipts.register_all([delivery], known_digest(delivery.reference))
        finished(delivery.reference, delivery.receipt_id)
    find_missing(at)
    announce_missing(at)
    clock.set(at + DELIVERS_AFTER + (at - BEGIN) * _LATER)
    asyncio.run(_deliver())
    clock.set(at + LOOKS_AFTER)
    tell(at + LOOKS_AFTER)


async def _deliver() -> None:
    await give_up_expired(datetime.now(UTC))
    await asyncio.gather(*map(deliver_due, await due_endpoints(datetime.now(UTC))))


def work_on_demand() -> None:
    clock = Clock(BEGIN)
    for line in sys.stdin:
        number, at = line.split()
        print("begun", number, flush=True)  # noqa: T201 -- the answer to the driver
        work(datetime.fromisoformat(at), clock)
        print("done", number, flush=True)  # noqa: T201


if __name__ == "__main__":
    keep_running(work_on_demand, Path(sys.argv[2]))

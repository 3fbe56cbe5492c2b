"""The journal of session events: batches of events that were acknowledged and are not yet in store and database.

`events/` holds batches as ARRIVAL-RANDOM.jsonl, each the lines of the events whose senders waited at the same time: one
write makes all of them durable. A body too large for a line lies beside them, as RECEIPT_ID.body, before its batch
does. A batch appears whole or not at all, so what a killed receiver leaves was never acknowledged.

Failures raise Transient.
"""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from adapters.files.storage import Storage
from adapters.files.store import storage_at
from adapters.inbox.inbox import Intake
from adapters.inbox.quarantine import ARRIVED_AT, body_name
from adapters.settings.settings import settings
from domain.completeness.session_events import lines_of
from models.completeness.processes import ReceivedEvent

_ENDING = ".jsonl"
_MOST_AHEAD = timedelta(minutes=5)
"""How far the clock of another receiver may be ahead."""


def write_batch(events: Sequence[ReceivedEvent]) -> str:
    """Put events on stable storage together, and return the name of their batch. Only then may they be acknowledged."""
    name = f"{min(each.received_at for each in events):{ARRIVED_AT}}-{secrets.token_hex(4)}{_ENDING}"
    place().write(lines_of(events), name)
    place().sync()
    return name


def keep_body(intake: Intake) -> None:
    """Put the body of an event that is too large for a line on stable storage. Its batch must follow."""
    intake.keep_body(place())


def batches(arrived_before: datetime | None = None) -> list[str]:
    """Return the names of the waiting batches, oldest first.

    A batch that arrives in the future was named while a clock was ahead. It counts as old, or it would wait until then.
    """
    names = place().names(f"[0-9]*{_ENDING}")
    if arrived_before is None:
        return names
    ahead = datetime.now(UTC) + _MOST_AHEAD
    return [name for name in names if arrival(name) < arrived_before or arrival(name) > ahead]


def arrival(name: str) -> datetime:
    """Return the arrival of the first event of a batch, with which its name begins."""
    try:
        return datetime.strptime(name.partition("-")[0], ARRIVED_AT).replace(tzinfo=UTC)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC) + timedelta(days=1)  # laid there by somebody: it is old


def found_batch(name: str) -> bytes | None:
    """Return the lines of a batch; None if it was taken in meanwhile."""
    return place().found_bytes(name)


def set_aside(lines: bytes, name: str) -> None:
    """Keep a batch with damaged lines for a person, under a name that is not taken in."""
    place().write(lines, f"{name}.damaged")
    place().sync()


def remove_batch(name: str) -> None:
    place().remove(name)


def found_body(receipt_id: str) -> Storage | None:
    """Return the place of the body of an event that is a file of its own; None if it was taken in already."""
    return None if place().size(body_name(receipt_id)) is None else place()


def remove_body(receipt_id: str) -> None:
    place().remove(body_name(receipt_id))


def place() -> Storage:
    return storage_at(f"{settings().inbox_location}/events")

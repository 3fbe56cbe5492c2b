"""Restores the rows of session events from the store."""

import hashlib
from collections.abc import Callable

from adapters.files.store import store
from adapters.platform.cancellation import checkpoint
from adapters.store import session_events
from adapters.tables.completeness import session_events as table
from domain.completeness.batches import events_in
from services.completeness.session_events import rows_of

OnDamaged = Callable[[tuple[str, str]], None]


def restore_events(on_damaged: OnDamaged) -> int:
    """Give each session event of the store its row, and return how many lines there are. A damaged file is passed to
    `on_damaged`; its sound lines are restored.
    """
    count = 0
    for key in [key for key, _ in session_events.files()]:
        checkpoint()
        batch = session_events.batch_at(key)
        if batch is None:
            continue  # a large body, which the line of its event names
        lines = store().read_bytes(key)
        if hashlib.sha256(lines).hexdigest() != session_events.digest_named_by(key):
            on_damaged((key, "the session events differ from the digest that names them"))
        events = [each for each in events_in(lines) if each]
        rows = list(rows_of(events, batch))
        if len(rows) < len(events):
            on_damaged((key, f"{len(events) - len(rows)} session events have an unreadable or missing body"))
        table.record(rows)
        count += len(rows)
    return count

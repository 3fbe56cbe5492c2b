"""Verifies the session events of the store: files against the digests that name them, and rows against the files."""

import hashlib
from collections.abc import Iterator, Mapping

from adapters.files.store import store
from adapters.inbox import session_events as inbox
from adapters.platform.cancellation import checkpoint
from adapters.store.beside import session_events as kept
from adapters.tables.completeness import session_events as table
from domain.completeness.batches import events_in
from models.completeness.session_event import ReceivedEvent
from models.store.fixity import EMPTY_FOLDER, Fault, Fixity, FixityFinding, strange_thing


def verify_events() -> Fixity:
    """Verify the files of session events, that none is missing, and that the database has their events.

    Raises:
        Transient: store or database does not answer.
    """
    batches = table.batches()  # before the listing: a batch that comes in between is in the store first
    strange: dict[str, str] = {}
    sizes = dict(kept.files(strange))
    found = [strange_thing(key, what) for key, what in strange.items() if what != EMPTY_FOLDER]
    found += [_missing(kept.key_of(each), "session events") for each in batches if kept.key_of(each) not in sizes]
    for key in sizes:
        found += _wrong_file(key, sizes)
    return Fixity(0, len(sizes), sum(sizes.values()), tuple(found))


def _wrong_file(key: str, sizes: Mapping[str, int]) -> Iterator[FixityFinding]:
    checkpoint()
    is_batch = kept.batch_at(key) is not None
    if not is_batch and not kept.is_body(key):
        yield FixityFinding(key, Fault.EXTRA, "nothing", "a file that is of no session event; move it away")
        return
    expected = kept.digest_named_by(key)
    lines = store().found_bytes(key) if is_batch else None
    digest = hashlib.sha256(lines).hexdigest() if lines is not None else store().digest_of(key)
    if digest is None:
        yield _missing(key, "session events")
    elif digest != expected:
        yield FixityFinding(key, Fault.DAMAGED, f"{expected}; put the file of a copy of the store in its place", digest)
    elif lines is not None:
        yield from _wrong_events(key, [each for each in events_in(lines) if each], sizes)


def _wrong_events(key: str, events: list[ReceivedEvent], sizes: Mapping[str, int]) -> Iterator[FixityFinding]:
    for each in events:
        body = kept.body_key(each.receipt_id)
        if each.body is None and body not in sizes and store().size(body) is None:
            yield _missing(body, "the body of a session event")
    unknown = table.missing_of(each.event_id for each in events)
    if unknown and (unknown := table.missing_of(unknown - _waiting())):
        expected = "a row for each event; cellar rebuild into an empty database makes them"
        yield FixityFinding(key, Fault.DIFFERS, expected, f"{len(unknown)} events without a row")


def _waiting() -> set[str]:
    """Return the events in the inbox. An event gets its row before it leaves the inbox."""
    lines = map(inbox.found_batch, inbox.batches())
    return {each.event_id for batch in lines if batch is not None for each in events_in(batch) if each}


def _missing(key: str, what: str) -> FixityFinding:
    return FixityFinding(key, Fault.MISSING, f"{what}; put the file of a copy of the store in its place", "nothing")

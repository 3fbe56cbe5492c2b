"""Takes session events from the inbox into store and database. Every step is idempotent.

The order makes a kill harmless: the store has the bodies, then the lines, then the database has the rows, and only then
the batch leaves the inbox. A killed taking in is repeated; then the store may hold a line twice, and the database has
each event once.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from zoneinfo import ZoneInfo

import structlog

from adapters.database.transactions import reading
from adapters.files.store import store
from adapters.inbox import session_events as inbox
from adapters.inbox.quarantine import body_name
from adapters.platform.cancellation import checkpoint
from adapters.settings.settings import settings
from adapters.store import lines, session_events
from adapters.store.lines import Erased
from adapters.store.sources import terms_of
from adapters.store.tombstones import count_returned, is_receipt_of_erased, known_by
from adapters.tables.completeness import session_events as table
from adapters.tables.completeness.session_events import EventRow
from adapters.tables.erased import erased, is_any
from domain.body.scan import Scanner
from domain.completeness.session_events import events_in, lines_of, read_event
from models.completeness.processes import ReceivedEvent, SessionEvent
from models.errors import Conflict, Refused, Transient
from services.health.probes import found_root

log = structlog.get_logger()

_SAID = tuple(each.name for each in fields(SessionEvent))
_MOST_BYTES_IN_A_FILE = 8 << 20


async def take_in_left() -> int:
    """Take in the events that no receiver has taken in within the interval of the sweep. Return how many.

    Raises Transient if inbox, store or database does not answer; the next sweep tries again.
    """
    before = datetime.now(UTC) - timedelta(seconds=settings().sweep_interval_s)
    return await asyncio.to_thread(lambda: take_in(inbox.batches(before)))


async def take_in_announced(names: Sequence[str]) -> int:
    """Take in these batches together. Return how many events there were. Raises as `take_in_left` does."""
    return await asyncio.to_thread(take_in, sorted(names))


def take_in(names: Sequence[str]) -> int:
    """Take in batches, and return how many events they held. A batch that cannot be taken in delays no other."""
    count = 0
    # A file has the batches of a minute, so that after a kill a repetition writes the same file again.
    for _, of_minute in groupby(names, lambda name: inbox.arrival(name).replace(second=0, microsecond=0)):
        for group in _files(of_minute):
            try:
                count += _take_in(group)
            except Transient:
                raise
            except Exception:  # whatever is wrong with these batches, the other batches go on
                # structlog's own trace would show values from payloads
                logging.getLogger(__name__).exception("%d batches of session events stay in the inbox", len(group))
    return count


def rows_of(events: Iterable[ReceivedEvent], batch: str) -> Iterator[EventRow]:
    """Yield the rows of the events of a batch, with times in the zones of their sources.

    Raises Transient if the store does not return a large body.
    """
    for event in events:
        scanner = Scanner()
        try:
            for chunk in (
                [event.body] if event.body is not None else store().chunks(session_events.body_key(event.receipt_id))
            ):
                scanner.feed(chunk)
            said = read_event(scanner.close().document, ZoneInfo(terms_of(event.source).timezone))
        except (Refused, FileNotFoundError, KeyError, TypeError) as error:
            log.error("a session event is unreadable", receipt_id=event.receipt_id, why=type(error).__name__)
            continue
        where = {"event_id": event.event_id, "source": event.source, "received_at": event.received_at, "batch": batch}
        yield where | {name: getattr(said, name) for name in _SAID}


def _files(names: Iterable[str]) -> Iterator[dict[str, bytes]]:
    """Yield the lines of batches by name, in groups for a file each. Batches that are gone were taken in meanwhile."""
    group: dict[str, bytes] = {}
    for name in names:
        text = inbox.found_batch(name)
        if text is None:
            continue
        if group and sum(map(len, group.values())) + len(text) > _MOST_BYTES_IN_A_FILE:
            yield group
            group = {}
        group[name] = text
    if group:
        yield group


def _take_in(group: dict[str, bytes]) -> int:
    found_root()  # else the events would go into an empty folder in place of the store, and leave the inbox
    sound = list[ReceivedEvent]()
    for name, text in group.items():
        events = [
            each if is_whole else None
            for each in events_in(text)
            if (is_whole := each and (each.body is not None or _has_body(each)))
            or not (each and is_receipt_of_erased(each.receipt_id))  # a killed taking in has removed the body
        ]
        if None in events:
            inbox.set_aside(text, name)
            log.error("a batch of session events is damaged; its sound lines are taken in", batch=name)
        sound += [each for each in events if each]
    rows = list(rows_of(sound, ""))
    with reading() as session:
        digests = _digests(rows) if is_any(session) else {row["event_id"]: [] for row in rows}
        gone = erased(session, digests)
    if len(gone) < len(sound):
        _keep([each for each in sound if each.event_id not in gone], rows, digests)
    for digest in {*gone.values()}:
        its = [each for each in sound if gone.get(each.event_id) == digest]
        large = [each.receipt_id for each in its if each.body is None]
        count_returned(digest, [each.received_at for each in its], large)
        log.warning("session events of an erased archive are removed", digest=digest)
    for each in sound:
        if each.body is None:
            if each.event_id in gone:
                store().erase(session_events.body_key(each.receipt_id))
            inbox.remove_body(each.receipt_id)
    for name in group:
        inbox.remove_batch(name)
    return len(sound)


def _keep(events: Sequence[ReceivedEvent], rows: Sequence[EventRow], digests: Mapping[str, Sequence[str]]) -> None:
    """Write events into the store, then their rows. Raises Transient if an archive of theirs is erased meanwhile."""
    batch, ids = session_events.keep_batch(lines_of(events), datetime.now(UTC)), {each.event_id for each in events}
    known = {event_id: its for event_id, its in digests.items() if event_id in ids}
    try:
        table.record([{**row, "batch": batch} for row in rows if row["event_id"] in ids], known)
    except (Refused, Transient) as error:
        store().erase(session_events.key_of(batch))  # it may have events of an archive that was erased meanwhile
        if isinstance(error, Transient):
            raise
        raise Transient("an archive was erased while its events were taken in; they are taken in again") from error


def _digests(rows: Sequence[EventRow]) -> dict[str, list[str]]:
    """Return by what each event may be known as one of an erased archive; none while the key is away."""
    named = itemgetter("reference", "source", "session_id", "process_number", "transaction_number")
    found = ((row["event_id"], known_by(*named(row))) for row in rows)
    return {event_id: its for event_id, its in found if its is not None}


def _has_body(event: ReceivedEvent) -> bool:
    """Bring a large body into the store, and return whether the store has it."""
    place = inbox.found_body(event.receipt_id)
    try:
        if place and session_events.keep_body(place, body_name(event.receipt_id), event.receipt_id):
            return True
    except FileNotFoundError:
        pass  # another taking in was faster
    return store().digest_of(session_events.body_key(event.receipt_id)) == event.receipt_id


OnDamaged = Callable[[tuple[str, str]], None]


def restore_events(on_damaged: OnDamaged, erased: Erased) -> int:
    """Give each session event of the store its row, and return how many lines there are. A damaged file is passed to
    `on_damaged`; its sound lines are restored. `erased`: what tombstones say.
    """
    count = 0
    for key in [key for key, _ in session_events.files()]:
        checkpoint()
        batch = session_events.batch_at(key)
        if batch is None:
            continue  # a large body, which the line of its event names
        text, wrong = store().read_bytes(key), list[str]()
        try:
            text = b"\n".join(lines.read(key, text, erased, wrong.append))
        except Conflict as conflict:
            wrong.append(str(conflict))
        for each in wrong:
            on_damaged((key, each))
        events = [each for each in events_in(text) if each]
        rows = list(rows_of(events, batch))
        if len(rows) < len(events):
            on_damaged((key, f"{len(events) - len(rows)} session events have an unreadable or missing body"))
        table.record(rows)
        count += len(rows)
    return count

"""Verifies the files beside the archives, their rows, and the keys."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

from adapters.database.transactions import pages, read_row, reading, writing
from adapters.files.store import store
from adapters.inbox import session_events as inbox
from adapters.platform.cancellation import checkpoint
from adapters.search.templates import every as every_template
from adapters.store import (
    happened,
    kept_endpoints,
    lines,
    ocfl,
    revoked_links,
    seals,
    session_events,
    settlement_reports,
    sources,
    templates,
    tokens,
    users,
)
from adapters.store.lines import Erased
from adapters.store.records import Records
from adapters.tables import settlements
from adapters.tables.archives import archives
from adapters.tables.completeness import session_events as table
from adapters.tables.messages import endpoints
from domain.completeness.session_events import events_in
from models.completeness.processes import ReceivedEvent
from models.errors import Conflict, Locked, Unreadable
from models.settlements.settlement import SettlementReportRow
from models.store.fixity import EMPTY_FOLDER, Fault, Fixity, FixityFinding, strange_thing
from services import derived
from services.access.chains import wrong_access
from services.anchors.anchors import wrong_anchors
from services.completeness.session_events import rows_of
from services.custody.happened import wrong_happened

_DEFINITION = "the sealed definition of an endpoint"
_OF_AN_EVENT = ("source", "type", "reference", "process_number", "transaction_number", "session_id")
_TAKEN_IN_WITHIN = timedelta(days=2)
OTHER_ZONE = timedelta(hours=26)
"""How far apart two time zones may read the same clock. `event_at` stays as it was read first, in the zone of then."""


def verify_beside() -> Fixity:
    """Verify the files beside the archives: the files of the OCFL storage root, the key of the fingerprints, the
    definitions of endpoints, the sources, the words of templates, the anchors, the access log, what happened, the
    settlement reports and session events, which are named by their digests.
    """
    strange, erased = dict[str, str](), happened.erased()
    sizes = dict(store().listed(settlement_reports.FOLDER, strange))
    for folder in (seals.ROOT, seals.ENDPOINTS, templates.RECORDS.folder):
        for _ in store().listed(folder, strange):
            checkpoint()
    paths = (PurePosixPath(key) for key in sizes)
    report_ids = {path.stem for path in paths if str(path.parent) == settlement_reports.FOLDER}
    with reading() as session:
        report_ids |= settlements.judged_reports(session)
    found = findings(
        [
            (strange_thing(key, what) for key, what in strange.items() if what != EMPTY_FOLDER),
            _wrong_root(),
            wrong_key(seals.FINGERPRINT_KEY, seals.check_fingerprint_key),
            _wrong_endpoints(),
            _wrong_sources(),
            _damaged(revoked_links.RECORDS),
            _damaged(tokens.RECORDS),
            _damaged(users.RECORDS),
            _damaged(users.IDENTITIES),
            _wrong_templates(),
            wrong_anchors(erased),
            wrong_access(),
            wrong_happened(erased),
            *map(_wrong_report, sorted(report_ids)),
        ]
    )
    return Fixity(0, len(sizes), sum(sizes.values()), tuple(found)) + _verify_events(erased)


def findings(checks: Iterable[Iterable[FixityFinding]]) -> Iterator[FixityFinding]:
    """Yield the findings of several checks. An unreadable file is a finding of its check, and ends no other check."""
    for check in checks:
        try:
            yield from check
        except Unreadable as error:
            yield FixityFinding(error.key, Fault.UNREADABLE, "a readable file", error.reason)


def wrong_key(location: str, check: Callable[[], None]) -> Iterator[FixityFinding]:
    """Check a key. Without it, sealed values are lost although their digests are right."""
    try:
        check()
    except Locked as error:
        fault = Fault.MISSING if store().size(location) is None else Fault.DAMAGED
        yield FixityFinding(location, fault, "a key that CELLAR_SEAL_KEYS opens", str(error))


def _wrong_root() -> Iterator[FixityFinding]:
    found = {key: store().found_bytes(key) for key in ocfl.root_files()}
    if found[ocfl.ROOT_DECLARATION] is None and next(archives.references(), None) is None:
        return  # no archive was written yet
    for key, expected in ocfl.root_files().items():
        if found[key] is None:
            yield FixityFinding(key, Fault.MISSING, "a file of the storage root", "nothing")
        elif found[key] != expected:
            yield FixityFinding(key, Fault.DAMAGED, "the file as it was written", "different content")


def _wrong_endpoints() -> Iterator[FixityFinding]:
    """Find definitions, from which endpoints would be rebuilt, that are damaged, locked or missing."""
    damaged: list[tuple[str, str]] = []
    for _ in kept_endpoints.kept(lambda *each: damaged.append(each)):
        pass
    for key, reason in damaged:
        yield FixityFinding(key, Fault.DAMAGED, _DEFINITION, reason)
    for row in endpoints.every():
        key = kept_endpoints.key_of(row.name)
        # Earlier builds kept none that only the settings named.
        if store().size(key) is None:
            yield FixityFinding(key, Fault.MISSING, _DEFINITION, "nothing")


def _wrong_sources() -> Iterator[FixityFinding]:
    """Find damaged sources, and lost sources of archives. Without a source, its archives are read on other terms."""
    damaged = list[str]()
    known = sources.RECORDS.all(damaged.append)
    for key in damaged:
        yield FixityFinding(key, Fault.DAMAGED, "a source as it was written", "other content")
    for key in (sources.RECORDS.key_of(name) for name in archives.every_source() if name not in known):
        if key not in damaged and store().size(key) is None:
            yield FixityFinding(key, Fault.MISSING, "the source of archives", "nothing")


def _damaged(records: Records[Any]) -> Iterator[FixityFinding]:
    keys = list[str]()
    records.all(keys.append)
    for key in keys:
        yield FixityFinding(key, Fault.DAMAGED, f"a record of the folder {records.folder}", "other content")


def _wrong_templates() -> Iterator[FixityFinding]:
    found = list(_differing_templates())
    if found:  # perhaps only because somebody names a template at this moment
        with writing() as session:
            derived.lock(session)
            found = list(_differing_templates())
    yield from found


def _differing_templates() -> Iterator[FixityFinding]:
    """Find what people say about templates that is damaged or missing in the store, or differs from the database."""
    damaged = list[str]()
    said, found = every_template(), {each.id: each for each in templates.RECORDS.readable(damaged.append)}
    for key in damaged:
        yield FixityFinding(key, Fault.DAMAGED, "what people say about a template", "other content")
    for id_ in sorted(said.keys() | found.keys()):
        key = templates.key_in_store(id_)
        if id_ not in found and key not in damaged:
            yield FixityFinding(key, Fault.MISSING, "what people say about a template", "nothing")
        elif id_ in found and said.get(id_) != found[id_]:
            yield FixityFinding(key, Fault.DIFFERS, "the words of the database; name the template again", "other words")


def _wrong_report(report_id: str) -> Iterator[FixityFinding]:
    key = settlement_reports.report_key(report_id)
    found = store().digest_of(key)
    row = read_row(SettlementReportRow, report_id)
    if found is None:
        yield FixityFinding(key, Fault.MISSING, "a settlement report", "nothing")
    elif found != report_id:
        yield FixityFinding(key, Fault.DAMAGED, report_id, found)
    elif row and settlement_reports.imported_at(report_id) is None:
        key = settlement_reports.imported_key(report_id)
        yield FixityFinding(key, Fault.DAMAGED, "the time of its import; import its file again", "no time")
    elif row and (others := _other_entries(row)):
        yield FixityFinding(key, Fault.DIFFERS, "a row for each of its entries", f"{others} that are gone or changed")


def _other_entries(row: SettlementReportRow) -> int:
    """Count the entries of a report whose rows are gone or changed. Before it is judged, some may be on their way: the
    night takes in what a killed import has left.
    """
    if not row.is_judged and datetime.now(UTC) - row.imported_at < _TAKEN_IN_WITHIN:
        return 0
    others = 0
    with settlement_reports.stored(row.report_id) as report:
        for page in pages(report.rows()):
            with reading() as session:
                found = settlements.entries_of(session, [each.entry_id for each in page])
            rows = {key: replace(each.entry, line=0) for key, each in found.items()}
            others += sum(rows.get(each.entry_id) != replace(each, line=0) for each in page)
    return others


def _verify_events(erased: Erased) -> Fixity:
    """Verify the files of session events, that none is missing, and that the database has their events."""
    batches = table.batches()  # before the listing: a batch that comes in between is in the store first
    strange: dict[str, str] = {}
    sizes = dict(session_events.files(strange))
    found = [strange_thing(key, what) for key, what in strange.items() if what != EMPTY_FOLDER]
    found += [
        _missing(session_events.key_of(each), "session events")
        for each in batches
        if session_events.key_of(each) not in sizes
    ]
    for key in sizes:
        found += _wrong_events_file(key, sizes, erased)
    return Fixity(0, len(sizes), sum(sizes.values()), tuple(found))


def _wrong_events_file(key: str, sizes: Mapping[str, int], erased: Erased) -> Iterator[FixityFinding]:
    checkpoint()
    batch = session_events.batch_at(key)
    if batch is None and not session_events.is_body(key):
        yield FixityFinding(key, Fault.EXTRA, "nothing", "a file that is of no session event; move it away")
        return
    text = store().found_bytes(key) if batch else None
    digest = None if batch else store().digest_of(key)
    if text is None and digest is None:
        yield _missing(key, "session events")
    elif digest and digest != session_events.digest_of_body(key):
        yield FixityFinding(key, Fault.DAMAGED, session_events.digest_of_body(key), digest)
    elif batch and text is not None:
        left, wrong = list[bytes](), list[str]()
        try:
            left = lines.read(key, text, erased, wrong.append)
        except Conflict as error:
            wrong.append(str(error))
        yield from (FixityFinding(key, Fault.DAMAGED, "the lines that its name promises", each) for each in wrong)
        events = [each for each in events_in(b"\n".join(left)) if each]
        yield from _lost_bodies(events, sizes)
        yield from _wrong_events(key, batch, events)


def _lost_bodies(events: Iterable[ReceivedEvent], sizes: Mapping[str, int]) -> Iterator[FixityFinding]:
    for each in events:
        body = session_events.body_key(each.receipt_id)
        if each.body is None and body not in sizes and store().size(body) is None:
            yield _missing(body, "the body of a session event")


def _wrong_events(key: str, batch: str, events: Sequence[ReceivedEvent]) -> Iterator[FixityFinding]:
    expected = "a row for each event; cellar rebuild into an empty database makes them"
    found = table.found(each.event_id for each in events)
    unknown = {each.event_id for each in events} - found.keys()
    if unknown and (unknown := unknown - _waiting() - table.found(unknown).keys()):
        yield FixityFinding(key, Fault.DIFFERS, expected, f"{len(unknown)} events without a row")
    said = {row["event_id"]: row for row in table.earliest(rows_of(events, batch))}
    others = sum(_is_other_event(said[each], row) for each, row in found.items() if each in said)
    if others:
        yield FixityFinding(key, Fault.DIFFERS, expected, f"{others} events with another row")


def _is_other_event(said: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    """Return whether a row is not that of an event. It has the time of the earliest arrival, which its batch names."""
    times = (said["event_at"], row["event_at"])
    is_same_clock = times[0] == times[1] or (all(times) and abs(times[0] - times[1]) <= OTHER_ZONE)
    is_first = row["batch"] != said["batch"] or row["received_at"] == said["received_at"]
    return not (is_same_clock and is_first) or any(row[name] != said[name] for name in _OF_AN_EVENT)


def _waiting() -> set[str]:
    """Return the events in the inbox. An event gets its row before it leaves the inbox."""
    waiting = map(inbox.found_batch, inbox.batches())
    return {each.event_id for batch in waiting if batch is not None for each in events_in(batch) if each}


def _missing(key: str, what: str) -> FixityFinding:
    return FixityFinding(key, Fault.MISSING, f"{what}; put the file of a copy of the store in its place", "nothing")

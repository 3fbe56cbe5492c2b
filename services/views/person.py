"""Finds a person by mail address, phone or identity number: in every version of every archive, in session events whose
archive has not come, in bodies that are no archive yet, and in refused deliveries.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import groupby
from typing import Any, BinaryIO

from sqlmodel import col, exists, select

from adapters.database.listing import id_cursor, id_of_cursor
from adapters.database.transactions import reading
from adapters.files.store import store
from adapters.inbox import inbox, quarantine
from adapters.search import entries, pages
from adapters.store import session_events
from domain.body.json_text import JsonFault, parse_with_repeats
from domain.completeness.session_events import events_in
from domain.person import facets_of, identifiers, places_in
from models.access import Caller
from models.archive.archive import ArchiveRow, State
from models.completeness.processes import SessionEventRow
from models.errors import Refused
from models.runs.receipt import ReceiptRow, RefusedRow, VersionRow
from models.views.archives.archives import ArchiveQuery, ArchiveSummary
from models.views.person import NamedIn, PersonFound, PersonPage, PersonPlace, Stands
from services import derived
from services.views import archive_list

AT_ONCE = 100
_MOST_BYTES = 16 << 20
"""The bytes of a refused body that are looked into: what an honest archive has beside its files."""


def wanted_of(values: Iterable[str]) -> frozenset[str]:
    """Return the forms of the values of one person. Raises Refused if a value is none, without repeating it."""
    forms = [identifiers(each) for each in values if each.strip()]
    if not forms or not all(forms):
        detail = "expected a mail address, a phone or an identity number, each with all its digits"
        raise Refused("BAD_PARAMETER", detail)
    return frozenset().union(*forms)


def page(wanted: frozenset[str], caller: Caller, cursor: str | None = None) -> PersonPage:
    """Return a page of what names a person. Raises Refused if the cursor is not from a page before."""
    before = None if cursor is None else id_of_cursor(cursor)
    with reading() as session:
        ids = pages.of_any(session, facets_of(wanted), before, AT_ONCE + 1)
        places = _places(entries.skeletons(session, pages.references(session, ids[:AT_ONCE])), wanted)
    query = ArchiveQuery(references=[*places], limit=AT_ONCE)
    archives = archive_list.page(query, caller).items if places else []
    found = [_found(NamedIn.ARCHIVE, each, *places[each.reference], archive=each) for each in archives]
    beside = [] if cursor else list(_all_beside(wanted))
    later = id_cursor(ids[AT_ONCE - 1]) if len(ids) > AT_ONCE else None
    return PersonPage(items=[*beside, *found], next=later, not_indexed=derived.lacking() or 0)


def everything(wanted: frozenset[str], caller: Caller) -> PersonPage:
    """Return all pages of what names a person as one."""
    found = whole = page(wanted, caller)
    while found.next:
        found = page(wanted, caller, found.next)
        whole.items.extend(found.items)
    return whole.model_copy(update={"next": None})


def _places(versions: Iterable[Any], wanted: frozenset[str]) -> dict[str, tuple[str, list[PersonPlace]]]:
    """Return where a person stands in archives, by reference, with the receipt of the newest version that names them. A
    place that says the same in several versions is that of the newest.
    """
    receipts, found = dict[str, str](), defaultdict[str, dict[Any, PersonPlace]](dict)
    for each in versions:
        for place in _in_body(each.skeleton, wanted, each.version):
            receipts.setdefault(each.reference, each.receipt_id)
            found[each.reference].setdefault((place.where, place.value), place)
    return {reference: (receipts[reference], [*places.values()]) for reference, places in found.items()}


def _in_body(body: bytes, wanted: frozenset[str], version: int | None = None) -> list[PersonPlace]:
    try:
        return places_in(parse_with_repeats(body), wanted, version)
    except (JsonFault, RecursionError):  # a version is damaged, which `verify` reports, or the body was refused for it
        text = body.decode(errors="replace")
        named = sorted(wanted & identifiers(text))
        return [PersonPlace(stands=Stands.ELSEWHERE, name="", where="", value=each, version=version) for each in named]


def _all_beside(wanted: frozenset[str]) -> Iterator[PersonFound]:
    yield from _events(wanted)
    newest_first = col(RefusedRow.receipt_id), col(RefusedRow.received_at).desc()
    yield from _bodies(wanted, NamedIn.REFUSED, select(RefusedRow).order_by(*newest_first), quarantine.opened_body)
    is_loaded = exists().where(col(VersionRow.receipt_id) == ReceiptRow.receipt_id)
    waiting = select(ReceiptRow).where(ReceiptRow.state != State.COMPLETED, ~is_loaded)
    yield from _bodies(wanted, NamedIn.WAITING, waiting.order_by(ReceiptRow.receipt_id), inbox.opened_body)


def _events(wanted: frozenset[str]) -> Iterator[PersonFound]:
    """Yield the session events that name a person and whose process has no archive, which would name them too."""
    its = SessionEventRow
    lonely = select(its).where(~exists().where(col(ArchiveRow.reference) == its.reference), its.batch != "")
    with reading() as session:
        rows = session.exec(lonely.order_by(its.batch), execution_options={"yield_per": 1000})
        for batch, of_batch in groupby(rows, lambda row: row.batch):
            known = {each.event_id: each for each in of_batch}
            for event in events_in(store().found_bytes(session_events.key_of(batch)) or b""):
                if event and (row := known.pop(event.event_id, None)):
                    chunks = store().chunks(session_events.body_key(event.receipt_id)) if event.body is None else ()
                    if places := _in_body(event.body or b"".join(chunks), wanted):
                        yield _found(NamedIn.EVENT, row, event.receipt_id, places)


def _bodies(
    wanted: frozenset[str], named_in: NamedIn, rows_of: Any, opened: Callable[[str], AbstractContextManager[BinaryIO]]
) -> Iterator[PersonFound]:
    """Yield deliveries that name a person, by the first 16 MiB of each body that is still there."""
    with reading() as session:
        rows = session.exec(rows_of, execution_options={"yield_per": 1000})
        for receipt_id, of_body in groupby(rows, lambda row: row.receipt_id):
            try:
                with opened(receipt_id) as body:
                    places = _in_body(body.read(_MOST_BYTES), wanted)
            except FileNotFoundError:  # it has become an archive meanwhile
                continue
            if places:
                yield _found(named_in, next(of_body), receipt_id, places)


def _found(
    named_in: NamedIn,
    its: ArchiveSummary | SessionEventRow | RefusedRow | ReceiptRow,
    receipt_id: str,
    places: Sequence[PersonPlace],
    archive: ArchiveSummary | None = None,
) -> PersonFound:
    process = its.model_dump(include={"reference", "process_number", "received_at"})
    return PersonFound(named_in=named_in, receipt_id=receipt_id, places=places, archive=archive, **process)

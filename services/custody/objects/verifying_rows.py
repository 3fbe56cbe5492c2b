"""Compares the database with the store: whoever rewrites a row rewrites no receipt.

Only complete receipts count, so a run that is at work causes no finding. Warnings are not compared, since they are the
opinion of the build that loaded the archive.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from itertools import islice
from typing import Any

from sqlmodel import SQLModel

from adapters.platform.cancellation import checkpoint
from adapters.store import seals
from adapters.store.objects.requests import StoredRequest
from adapters.tables.archives.recorded import Recorded, Row, key_columns, recorded
from domain.archive.difference import row_differences
from domain.archive.rows import judged_rows, rows_of
from models.archive.archive import Archive, ArchiveRow, FormFieldRow, SignatureRow
from models.archive.content import FileRow
from models.archive.session import IntegrationRow, InvitationRow, LabelRow, SessionRow
from models.archive.signed_document import SignedDocumentRow
from models.errors import Conflict, Locked, Unreadable
from models.payments import PaymentKeyRow, PaymentRow
from models.runs.receipt import DeliveryRow, ReceiptRow, VersionRow
from models.store.fixity import FixityFinding
from services.custody.objects.opened import Opened
from services.custody.objects.stored_rows import (
    current_request,
    said_archive,
    said_deliveries,
    said_receipts,
    said_versions,
)

_OF_THE_PAYLOAD = (
    FileRow,
    FormFieldRow,
    IntegrationRow,
    InvitationRow,
    LabelRow,
    PaymentKeyRow,
    PaymentRow,
    SessionRow,
    SignatureRow,
    SignedDocumentRow,
)
_MOST_NAMED = 3


def differing_rows(opened: Sequence[Opened]) -> dict[str, list[FixityFinding]]:
    """Find the rows of the database that say otherwise than the store, by the key of the object."""
    tables = (ArchiveRow, ReceiptRow, DeliveryRow, VersionRow, *_OF_THE_PAYLOAD)
    rows = recorded([each.reference for each in opened], tables)
    fingerprints = cache(seals.previewed_fingerprints)

    def fingerprint(text: str) -> str:
        return fingerprints()(text)

    return {each.stored.key: list(_differing(each, rows[each.reference], fingerprint)) for each in opened}


def _differing(opened: Opened, found: Recorded, fingerprint: Callable[[str], str]) -> Iterator[FixityFinding]:
    checkpoint()
    if not found[ArchiveRow]:
        return  # the database is new, or was rebuilt without this archive
    differing = list(_differing_tables(opened, found, fingerprint))
    if differing:
        with suppress(ValueError, KeyError, TypeError, OSError):  # no terms that cellar has written
            stated = dict(found[ArchiveRow][0]["read_on"] or {})  # earlier builds did not record them
            others = list(_differing_tables(opened, found, fingerprint, stated))
            if len(others) < len(differing):
                terms = ", ".join(f"{name} {value}" for name, value in stated.items()) or "the defaults"
                differing = [*others, opened.stored.stale(f"rows that were read with {terms}")]
    yield from differing


def _differing_tables(
    opened: Opened, found: Recorded, fingerprint: Callable[[str], str], read_on: Mapping[str, Any] | None = None
) -> Iterator[FixityFinding]:
    """Find the tables that differ if the archive is read on its present terms, or as `read_on` says."""
    for table, said, rows in _compared(opened, found, fingerprint, read_on):
        differences = map(str, row_differences(key_columns(table), said, rows))
        if named := list(islice(differences, _MOST_NAMED)):
            more = sum(1 for _ in differences)
            text = "; ".join([*named, *([f"{more} more"] if more else [])])
            yield opened.stored.differs(f"table {table.__tablename__} as the store says", f"the database {text}")


def _compared(
    opened: Opened, found: Recorded, fingerprint: Callable[[str], str], read_on: Mapping[str, Any] | None
) -> Iterator[tuple[type[SQLModel], Iterable[Row], Iterable[Row]]]:
    """Yield the tables, each with the rows that the store gives and those of the database.

    While the inbox has the body of a receipt, a run writes its history again. Of other receipts that the store does not
    call complete, nothing is said here.
    """
    receipts, arrivals = said_receipts(opened), said_deliveries(opened)
    yield ReceiptRow, receipts, _of(receipts, found[ReceiptRow], "receipt_id")
    yield DeliveryRow, arrivals, _of(arrivals, found[DeliveryRow], "delivery_id")
    versions = said_versions(opened, found)
    yield VersionRow, versions, _of(versions, found[VersionRow], "receipt_id")
    request = current_request(opened, found)
    request = request and replace(request, read_on=read_on)
    archive = _archive(request) if request else None
    described = {"process_number": archive.process_number, "template_id": archive.template_id} if archive else {}
    yield ArchiveRow, [described | said_archive(opened, found)], found[ArchiveRow]
    if request and archive:
        try:
            said = rows_of(archive, request.payment_terms, fingerprint)
        except Locked:  # the check of the key reports it, and all other columns are compared
            said = _without_fingerprints(rows_of(archive, request.payment_terms, lambda _: ""))
        said = {**said, SignedDocumentRow: _judged(archive, said[SignedDocumentRow], found[SignedDocumentRow])}
        yield from ((table, said[table], found[table]) for table in _OF_THE_PAYLOAD)


def _without_fingerprints(rows: Mapping[type[SQLModel], Iterable[Row]]) -> dict[type[SQLModel], list[Row]]:
    return {
        table: [{name: value for name, value in row.items() if not name.endswith("_fingerprint")} for row in its]
        for table, its in rows.items()
    }


def _archive(request: StoredRequest) -> Archive | None:
    """Return the archive of a request; None if it is damaged or locked, which other checks report."""
    try:
        return request.archive()
    except (Conflict, Unreadable):
        return None


def _judged(archive: Archive, said: Sequence[Row], found: Sequence[Row]) -> Sequence[Row]:
    """Return the row of the signed document after the last judgement; after an earlier one, if the database has that.

    A judgement is kept in the store before its row. If the judge was killed in between, the next judgement writes both.
    """
    for number in reversed(range(len(archive.judgements))):
        earlier = judged_rows(replace(archive, judgements=archive.judgements[:number]))[SignedDocumentRow]
        if not any(row_differences(key_columns(SignedDocumentRow), earlier, found)):
            return earlier
    return said


def _of(said: Iterable[Row], found: Iterable[Row], key: str) -> list[Row]:
    """Return the rows of the database that have the key of a row of the store."""
    keys = {row[key] for row in said}
    return [row for row in found if row[key] in keys]

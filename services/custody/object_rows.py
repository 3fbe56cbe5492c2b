"""Compares the database with the store: whoever rewrites a row rewrites no receipt.

Only complete receipts count, so a run that is at work causes no finding. Warnings are not compared, since they are the
opinion of the build that loaded the archive. What the store says follows from its histories and requests.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any

from sqlmodel import SQLModel

from adapters.platform.cancellation import checkpoint
from adapters.store import seals
from adapters.store.objects import history
from adapters.store.objects.deliveries import delivered
from adapters.store.objects.requests import StoredRequest, request_in, version_in
from adapters.store.ocfl import SKELETON
from adapters.tables.archives.recorded import Recorded, Row, key_columns, recorded
from domain.archive.difference import row_differences
from domain.archive.rows import judged_rows, rows_of
from domain.archive.versions import Age, age_of, newest_first, repeated
from models.archive.archive import Archive, ArchiveRow, FormFieldRow, SignatureRow, State
from models.archive.content import FileRow, SignedDocumentRow
from models.archive.session import IntegrationRow, InvitationRow, LabelRow, SessionRow
from models.errors import Conflict, Locked, Unreadable
from models.messages.notification import NotificationRow
from models.payments import PaymentKeyRow, PaymentRow
from models.runs.receipt import DEFAULT_SOURCE, DeliveryRow, ReceiptRow, RunRow, VersionRow
from models.store.fixity import FixityFinding
from services.custody.objects import Opened
from services.custody.verifying_records import OTHER_ZONE, has_other_discrepancies

_OF_HISTORIES: Mapping[type[SQLModel], Sequence[str]] = {
    ReceiptRow: ("receipt_id", "state", "received_at", "completed_at", "size_bytes", "source"),
    DeliveryRow: ("delivery_id", "receipt_id", "received_at", "outcome", "headers", "source"),
    RunRow: ("flow_run_id", "attempt", "receipt_id", "trigger", "state", "started_at", "ended_at", "cause_code"),
    NotificationRow: ("message_id", "receipt_id", "endpoint", "event", "planned_at"),
}
"""What never changes of receipts, and of their deliveries, ended runs and messages."""


def said_by_histories(opened: Opened, table: type[SQLModel]) -> list[Row]:
    """Return the rows of a table in the histories that call their receipts complete."""
    histories = (rows for rows in opened.histories.values() if history.complete_receipt(rows))
    rows = (row for each in histories for row in each.get(str(table.__tablename__), ()))
    return [_columns(row, _OF_HISTORIES[table]) for row in rows if row.get("ended_at", True)]


def said_versions(opened: Opened, recorded: Recorded) -> list[Row]:
    """Return the rows of the versions whose receipts are complete.

    Its age is that of the payload, or of a later delivery. A run may have counted its delivery without being done.
    """
    complete = complete_ids(recorded)
    found = {row["receipt_id"]: _age_in(row) for row in recorded[VersionRow]}
    rooted = {row["receipt_id"] for row in recorded[VersionRow] if row["content_root"]}  # earlier builds had none
    said = list[Row]()
    for number, version in enumerate(opened.inventory.versions, 1):
        if version.message in complete and SKELETON in version.state:
            row = {
                "receipt_id": version.message,
                "version": number,
                "received_at": complete[version.message]["received_at"],
                "skeleton_sha256": version.state[SKELETON],
            }
            if version.message in rooted:
                row["content_root"] = version_in(opened.inventory, number, opened.files.chunks).content_root()
            expected, age = _ages(opened, number, recorded), found.get(version.message)
            is_right = not expected or (age and any(_is_same_age(age, each) for each in expected))
            aged = {} if is_right else {name: getattr(expected[0], name) for name in ("event_at", "is_set_aside")}
            said.append(row | aged)
    return said


def said_archive(opened: Opened, recorded: Recorded) -> dict[str, Any]:
    """Return the columns of the archive that follow from its receipts and versions: the state and the cause are those
    of the newest receipt, and the current version is the newest version, by the times of the store.
    """
    newest = max(recorded[ReceiptRow], key=lambda row: (row["received_at"], row["receipt_id"]), default=None)
    said = {"state": newest["state"], "completed_at": newest["completed_at"]} if newest else {}
    theirs = {*(version.message for version in opened.inventory.versions), *delivered(opened.stored.sizes)}
    if theirs <= complete_ids(recorded).keys():
        ages = {row["receipt_id"]: _age_in(row) for row in recorded[VersionRow]}
        if opened.inventory.head > 1:  # a sole version is the newest, whatever its time
            numbers = {version.message: number for number, version in enumerate(opened.inventory.versions, 1)}
            for receipt_id in ages.keys() & numbers.keys():
                ages[receipt_id] = (_ages(opened, numbers[receipt_id], recorded) or [ages[receipt_id]])[0]
        said["current_receipt_id"] = next((age.receipt_id for age in newest_first(ages.values())), None)
    return said


def current_request(opened: Opened, recorded: Recorded) -> StoredRequest | None:
    """Return the request of the current version; None if its receipt is not complete, or the store lacks it."""
    current_id = next((row["current_receipt_id"] for row in recorded[ArchiveRow]), None)
    numbers = [number for number, each in enumerate(opened.inventory.versions, 1) if each.message == current_id]
    if not numbers or current_id not in complete_ids(recorded):
        return None
    return version_in(opened.inventory, numbers[0], opened.files.chunks)


def complete_ids(recorded: Recorded) -> Mapping[str, Row]:
    """Return the rows of the receipts that the database calls complete, by id."""
    return {row["receipt_id"]: row for row in recorded[ReceiptRow] if row["state"] == State.COMPLETED}


def _age_in(row: Row) -> Age:
    """Return the age of a version by its row."""
    return Age(**{each.name: row[each.name] for each in fields(Age)})


def _is_same_age(found: Age, expected: Age) -> bool:
    """Return whether two ages are equal, or their times may be the same clock time in two time zones. The setting may
    have changed since, and a new run does not read the time of an older version again.
    """
    if found.is_set_aside != expected.is_set_aside or found.event_at is None or expected.event_at is None:
        return (found.event_at, found.is_set_aside) == (expected.event_at, expected.is_set_aside)
    return abs(found.event_at - expected.event_at) <= OTHER_ZONE


def _ages(opened: Opened, number: int, recorded: Recorded) -> list[Age]:
    """Return the ages that a version may have: first the age by its complete deliveries, then those by each other
    delivery. Empty if the store does not say.
    """
    receipts = {row["receipt_id"]: row for row in recorded[ReceiptRow]}
    try:
        version = version_in(opened.inventory, number, opened.files.chunks)
        sure, unsure = _age(opened, version, receipts[version.receipt_id]), list[Age]()
        for row in (receipts[each] for each in delivered(opened.stored.sizes) if each in receipts):
            request = request_in(opened.inventory, row["receipt_id"], opened.files.chunks)
            if request is None or request.is_version or request.version != number:
                continue
            age = _age(opened, request, row)
            if row["state"] == State.COMPLETED:
                sure = repeated(sure, age)
            else:
                unsure.append(age)
    except (Conflict, Unreadable):
        return []
    return [sure, *(repeated(sure, age) for age in unsure)]


def _age(opened: Opened, request: StoredRequest, row: Row) -> Age:
    """Return the age of a receipt. It is set aside unless the history has a delivery of the source of the process."""
    kept = history.deliveries(opened.histories.get(history.path_of(request.receipt_id), {}))
    sources = {row["source"], *(each.get("source", DEFAULT_SOURCE) for each in kept)}
    is_set_aside = request.owner not in sources
    return age_of(request.event_at(), row["received_at"], request.receipt_id, is_set_aside=is_set_aside)


def _columns(row: Mapping[str, Any], names: Collection[str]) -> Row:
    """Return some columns of a row of a history, with times as times. Histories of earlier builds name no source."""
    row = {"source": DEFAULT_SOURCE} | dict(row)
    said = {name: row[name] for name in names if name in row}
    return {
        name: datetime.fromisoformat(text) if name.endswith("_at") and text else text for name, text in said.items()
    }


_OF_THE_PAYLOAD = (
    *(FileRow, FormFieldRow, PaymentKeyRow, PaymentRow, SignatureRow, SignedDocumentRow),
    *(SessionRow, IntegrationRow, InvitationRow, LabelRow),
)
_MOST_NAMED = 3


def differing_rows(opened: Sequence[Opened]) -> dict[str, list[FixityFinding]]:
    """Find the rows of the database that say otherwise than the store, by the key of the object."""
    tables: list[type[SQLModel]] = [ArchiveRow, VersionRow, *_OF_HISTORIES, *_OF_THE_PAYLOAD]
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
    for path, rows in opened.histories.items():
        key = f"{opened.stored.key}/{path}"
        if "/discrepancies/" in path and has_other_discrepancies(opened.reference, key, rows):
            yield opened.stored.differs("the discrepancies of the store", "others in the database")


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
    for table in _OF_HISTORIES:
        rows = said_by_histories(opened, table)
        yield table, rows, _of(rows, found[table], key_columns(table))
    versions = said_versions(opened, found)
    yield VersionRow, versions, _of(versions, found[VersionRow], ["receipt_id"])
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


def _of(said: Iterable[Row], found: Iterable[Row], key: Sequence[str]) -> list[Row]:
    """Return the rows of the database that have the key of a row of the store."""
    keys = {tuple(row[name] for name in key) for row in said}
    return [row for row in found if tuple(row[name] for name in key) in keys]

"""Compares the database with the store: whoever rewrites a row rewrites no receipt.

Only complete receipts count, so a run that is at work causes no finding. What the store says follows from its histories
and requests.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
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
from adapters.store.tombstones import known_digest
from adapters.tables.archives.recorded import Recorded, Row, key_columns, recorded
from domain.archive.difference import row_differences
from domain.archive.rows import judged_rows, rows_of
from domain.archive.versions import Age, age_of, newest_first, repeated
from models.archive.archive import Archive, ArchiveRow, FormFieldRow, SignatureRow, State, WarningRow
from models.archive.content import FileRow, SignedDocumentRow
from models.archive.session import IntegrationRow, InvitationRow, LabelRow, SessionRow
from models.columns import table_of
from models.errors import Conflict, Locked, Unreadable
from models.messages.notification import EventRow, NotificationAttemptRow, NotificationRow
from models.payments import PaymentKeyRow, PaymentRow
from models.runs.receipt import CauseColumns, DeliveryRow, ReceiptRow, RunRow, VersionRow
from models.store.fixity import FixityFinding
from services import derived
from services.custody.objects import Opened
from services.custody.verifying_records import OTHER_ZONE


def _all_but(table: type[SQLModel], *names: str) -> Sequence[str]:
    return [each.name for each in table_of(table).c if each.name not in names]


_OF_HISTORIES: Mapping[type[SQLModel], Sequence[str]] = {
    ReceiptRow: _all_but(ReceiptRow),
    DeliveryRow: _all_but(DeliveryRow, "flow_run_id"),  # a sweep that starts a run again names the new one
    RunRow: _all_but(RunRow),
    EventRow: _all_but(EventRow),
    NotificationRow: ("message_id", "reference", "receipt_id", "endpoint", "event", "planned_at"),
    NotificationAttemptRow: _all_but(NotificationAttemptRow),
}
"""What never changes of complete receipts, and of their deliveries, ended runs, events, messages and attempts."""
_MADE_AT = {RunRow: "ended_at", EventRow: "at", NotificationRow: "planned_at", NotificationAttemptRow: "attempted_at"}
_KEPT_WITHIN = timedelta(hours=1)
"""A row reaches the database before the history. A writer that was killed in between is continued within this time."""


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
    said = list[Row]()
    for number, version in enumerate(opened.inventory.versions, 1):
        if version.message in complete and SKELETON in version.state:
            row = {
                "receipt_id": version.message,
                "version": number,
                "received_at": complete[version.message]["received_at"],
                "skeleton_sha256": version.state[SKELETON],
                "content_root": version_in(opened.inventory, number, opened.files.chunks).content_root(),
            }
            expected, age = _ages(opened, number, recorded), found.get(version.message)
            is_right = not expected or (age and any(_is_same_age(age, each) for each in expected))
            aged = {} if is_right else {name: getattr(expected[0], name) for name in _AGE}
            said.append(row | aged)
    return said


def said_archive(opened: Opened, recorded: Recorded) -> dict[str, Any]:
    """Return the columns of the archive that follow from its receipts and versions: the state and the cause are those
    of the newest receipt, and the current version is the newest version, by the times of the store.
    """
    newest = max(recorded[ReceiptRow], key=lambda row: (row["received_at"], row["receipt_id"]), default=None)
    said = {name: newest[name] for name in ("state", "completed_at", *CauseColumns.model_fields) if newest}
    arrivals = (row["received_at"] for row in (*recorded[ReceiptRow], *recorded[DeliveryRow]))
    said["received_at"] = min(arrivals, default=None)
    if (digest := known_digest(opened.reference)) and all(row["digest"] for row in recorded[ArchiveRow]):
        said["digest"] = digest  # it is filled in where a key that was away has left it out
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
    is_alike = (found.is_from_future, found.is_set_aside) == (expected.is_from_future, expected.is_set_aside)
    if found.event_at is None or expected.event_at is None:
        return is_alike and found.event_at == expected.event_at
    return is_alike and abs(found.event_at - expected.event_at) <= OTHER_ZONE


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
    sources = {row["source"], *(each["source"] for each in kept)}
    is_set_aside = opened.owner not in sources
    return age_of(request.event_at(), row["received_at"], request.receipt_id, is_set_aside=is_set_aside)


def _columns(row: Mapping[str, Any], names: Collection[str]) -> Row:
    """Return some columns of a row of a history, with times as times."""
    said = {name: row[name] for name in names if name in row}
    return {
        name: datetime.fromisoformat(text) if text and (name == "at" or name.endswith("_at")) else text
        for name, text in said.items()
    }


OF_THE_PAYLOAD = (
    *(FileRow, FormFieldRow, PaymentKeyRow, PaymentRow, SignatureRow, SignedDocumentRow, WarningRow),
    *(SessionRow, IntegrationRow, InvitationRow, LabelRow),
)
_AGE = ("event_at", "is_from_future", "is_set_aside")
_MOST_NAMED = 3


def differing_rows(opened: Sequence[Opened]) -> dict[str, list[FixityFinding]]:
    """Find the rows of the database that say otherwise than the store, by the key of the object."""
    tables: list[type[SQLModel]] = [ArchiveRow, VersionRow, *_OF_HISTORIES, *OF_THE_PAYLOAD]
    rows = recorded([each.reference for each in opened], tables)
    fingerprints = cache(seals.previewed_fingerprints)

    def fingerprint(text: str) -> str:
        return fingerprints()(text)

    found = {each.stored.key: list(_differing(each, rows[each.reference], fingerprint)) for each in opened}
    stored = {each.reference: each.stored for each in opened}
    for reference, table in sorted(derived.differing([*stored])):
        its = stored[reference]
        found[its.key].append(its.differs(f"table {table} as the other tables say", "another row"))
    return found


def _differing(opened: Opened, found: Recorded, fingerprint: Callable[[str], str]) -> Iterator[FixityFinding]:
    checkpoint()
    if not found[ArchiveRow]:
        if opened.complete_receipts:
            yield opened.stored.differs("an archive in the database", "none; cellar rebuild restores it")
        return
    differing = list(_differing_tables(opened, found, fingerprint))
    if differing:
        with suppress(ValueError, KeyError, TypeError, OSError):  # no terms that cellar has written
            stated = dict(found[ArchiveRow][0]["read_on"] or {})  # none are the defaults
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
    for table in _OF_HISTORIES:
        rows = said_by_histories(opened, table)
        yield table, rows, list(_of(opened, table, rows, found[table]))
    versions = said_versions(opened, found)
    waiting = {each.message for each in opened.inventory.versions} - {row["receipt_id"] for row in versions}
    yield VersionRow, versions, [row for row in found[VersionRow] if row["receipt_id"] not in waiting]
    request = current_request(opened, found)
    request = request and replace(request, read_on=read_on)
    archive = _archive(request) if request else None
    described = {name: getattr(archive, name) for name in ("process_number", "template_id") if archive}
    owner = {"source": opened.owner} if request else {}
    yield ArchiveRow, [described | owner | said_archive(opened, found)], found[ArchiveRow]
    if request and archive:
        try:
            said = rows_of(archive, request.payment_terms, fingerprint)
        except Locked:  # the check of the key reports it, and all other columns are compared
            said = _without_fingerprints(rows_of(archive, request.payment_terms, lambda _: ""))
        said = {**said, SignedDocumentRow: _judged(archive, said[SignedDocumentRow], found[SignedDocumentRow])}
        # Others than its warnings are not known without its key, and those of a judgement come with its row.
        is_warned = not archive.is_locked and said[SignedDocumentRow] == judged_rows(archive)[SignedDocumentRow]
        its_tables = (each for each in OF_THE_PAYLOAD if each is not WarningRow or is_warned)
        yield from ((table, said[table], found[table]) for table in its_tables)


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


def _of(opened: Opened, table: type[SQLModel], said: Sequence[Row], found: Iterable[Row]) -> Iterator[Row]:
    """Yield the rows of the database that the histories must have: those with the key of a row of the store, and
    those of complete receipts and their messages that are older than their way into the store.
    """
    key, made_at, latest = key_columns(table), _MADE_AT.get(table), datetime.now(UTC) - _KEPT_WITHIN
    keys = {tuple(row[name] for name in key) for row in said}
    owners = {*opened.complete_receipts, *(row["message_id"] for row in said if "message_id" in row)}
    for row in found:
        is_old = made_at and row[made_at] and row[made_at] < latest
        its = {row.get("receipt_id"), row.get("message_id")}
        if tuple(row[name] for name in key) in keys or (is_old and owners & its):
            yield row

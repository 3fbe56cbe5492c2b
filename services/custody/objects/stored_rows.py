"""Derives from the store what the database must say of an archive's receipts, deliveries and versions."""

from collections.abc import Collection, Mapping
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from adapters.store.objects import history
from adapters.store.objects.deliveries import delivered
from adapters.store.objects.requests import StoredRequest, request_in, version_in
from adapters.store.ocfl import SKELETON
from adapters.tables.archives.recorded import Recorded, Row
from domain.archive.versions import Age, age_of, newest_first, repeated
from models.archive.archive import ArchiveRow, State
from models.errors import Conflict, Unreadable
from models.runs.receipt import DEFAULT_SOURCE, ReceiptRow, VersionRow
from services.custody.objects.opened import Opened

_OF_A_RECEIPT = ("receipt_id", "state", "received_at", "completed_at", "size_bytes", "source")
_OTHER_ZONE = timedelta(hours=26)
"""How far apart two time zones may read the same clock. `event_at` stays as it was read first, in the zone of then."""
_OF_A_DELIVERY = ("delivery_id", "receipt_id", "received_at", "outcome", "headers", "source")


def said_receipts(opened: Opened) -> list[Row]:
    """Return the rows of the receipts that their histories call complete."""
    return [_columns(row, _OF_A_RECEIPT) for row in opened.complete_receipts.values()]


def said_deliveries(opened: Opened) -> list[Row]:
    """Return the rows of the deliveries of those receipts."""
    histories = (rows for rows in opened.histories.values() if history.complete_receipt(rows))
    return [_columns(row, _OF_A_DELIVERY) for rows in histories for row in history.deliveries(rows)]


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
            }
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
    return abs(found.event_at - expected.event_at) <= _OTHER_ZONE


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
    said = {name: row[name] for name in names}
    return {
        name: datetime.fromisoformat(text) if name.endswith("_at") and text else text for name, text in said.items()
    }

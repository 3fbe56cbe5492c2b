"""Derives from the store what the database must say of an archive's receipts, deliveries and versions."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from adapters.store.object_files import SKELETON
from adapters.store.objects import history
from adapters.store.objects.deliveries import delivered
from adapters.store.objects.requests import StoredRequest, request_in, version_in
from adapters.tables.archives.recorded import Recorded, Row
from domain.archive.versions import Age, newest_first
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

    `event_at` is that of the payload, or of a later delivery. A run may have counted its delivery without being done.
    """
    complete = complete_ids(recorded)
    events = {row["receipt_id"]: row["event_at"] for row in recorded[VersionRow]}
    said = list[Row]()
    for number, version in enumerate(opened.inventory.versions, 1):
        if version.message in complete and SKELETON in version.state:
            row = {
                "receipt_id": version.message,
                "version": number,
                "received_at": complete[version.message]["received_at"],
                "skeleton_sha256": version.state[SKELETON],
            }
            found = events.get(version.message)
            expected = _event_times(opened, number, recorded)
            is_right = expected is None or any(_is_same_time(found, each) for each in expected)
            said.append(row if is_right or expected is None else row | {"event_at": expected[0]})
    return said


def said_archive(opened: Opened, recorded: Recorded) -> dict[str, Any]:
    """Return the columns of the archive that follow from its receipts and versions: the state and the cause are those
    of the newest receipt, and the current version is the newest version, by the times of the store.
    """
    newest = max(recorded[ReceiptRow], key=lambda row: (row["received_at"], row["receipt_id"]), default=None)
    said = {"state": newest["state"], "completed_at": newest["completed_at"]} if newest else {}
    theirs = {*(version.message for version in opened.inventory.versions), *delivered(opened.stored.sizes)}
    if theirs <= complete_ids(recorded).keys():
        times = {
            version.message: (_event_times(opened, number, recorded) or [None])[0]
            for number, version in enumerate(opened.inventory.versions, 1)
            if opened.inventory.head > 1  # a sole version is the newest, whatever its time
        }
        ages = (
            Age(times.get(row["receipt_id"]) or row["event_at"], row["received_at"], row["receipt_id"])
            for row in recorded[VersionRow]
        )
        said["current_receipt_id"] = next((age.receipt_id for age in newest_first(ages)), None)
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


def _is_same_time(found: datetime | None, expected: datetime | None) -> bool:
    """Return whether two times of an event are equal, or may be the same clock time in two time zones. The setting may
    have changed since, and a new run does not read the time of an older version again.
    """
    if found is None or expected is None:
        return found is expected
    return abs(found - expected) <= _OTHER_ZONE


def _event_times(opened: Opened, number: int, recorded: Recorded) -> list[datetime | None] | None:
    """Return the times that a version's event may have: first the time by its complete deliveries, then those by each
    other delivery. None if the store does not say.
    """
    receipts = {row["receipt_id"]: row for row in recorded[ReceiptRow]}
    try:
        version = version_in(opened.inventory, number, opened.files.chunks)
        sure, received_at = version.event_at(), receipts[version.receipt_id]["received_at"]
        times: list[datetime] = []
        for receipt_id, made_at in _arrivals(opened, number, receipts):
            if receipts[receipt_id]["state"] == State.COMPLETED:
                sure = max(sure or received_at, made_at)
            else:
                times.append(made_at)
    except (Conflict, Unreadable):
        return None
    return [sure, *(max(sure or received_at, made_at) for made_at in times)]


def _arrivals(opened: Opened, number: int, receipts: Mapping[str, Row]) -> Iterator[tuple[str, datetime]]:
    """Yield the receipts that said the same as a version, with the times of their events."""
    for receipt_id in delivered(opened.stored.sizes):
        request = request_in(opened.inventory, receipt_id, opened.files.chunks)
        if request and not request.is_version and request.version == number and receipt_id in receipts:
            yield receipt_id, request.event_at() or receipts[receipt_id]["received_at"]


def _columns(row: Mapping[str, Any], names: Collection[str]) -> Row:
    """Return some columns of a row of a history, with times as times. Histories of earlier builds name no source."""
    row = {"source": DEFAULT_SOURCE} | dict(row)
    return {name: _moment(row[name]) if name.endswith("_at") else row[name] for name in names}


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)

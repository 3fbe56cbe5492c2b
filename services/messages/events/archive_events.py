"""Makes the events about archives, with the bodies that endpoints receive."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

import structlog

from adapters.settings.settings import settings
from adapters.store.objects.requests import stored_version
from adapters.tables.archives import archives
from domain.archive.difference import differences
from domain.archive.versions import newest_first
from domain.messages.bodies import archive_bodies
from domain.messages.bodies.body import MOST_REPORTED
from models.archive.archive import ArchiveRow, Difference
from models.errors import Conflict
from models.messages.bodies import AboutArchive
from models.messages.event import Event, EventType
from models.payments import DiscrepancyState
from models.runs.cause import FailedReceipt
from models.runs.receipt import VersionRow
from services.payments import recorded
from services.receipts.stored_archive import StoredArchive

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Version:
    """A version that events are about."""

    archive: ArchiveRow
    about: AboutArchive

    def event(self, event: EventType, at: datetime, body: bytes) -> Event:
        return _event(event, self.archive, self.about.receipt_id, at, body)


def events_of(archived: StoredArchive, at: datetime) -> list[Event]:
    """Return what there is to say about a version that is complete and current. The same version has the same events.

    Raises:
        Locked: the key of an earlier version is not available.
        Transient: database or store does not answer.
    """
    version = _version(archived.archive.reference, archived.receipt_id)
    events = [_completed(version, at)]
    discrepancies = recorded.count_open_by_code(archived.archive.reference)
    warnings = dict(sorted(Counter(str(each.code) for each in archived.archive.warnings).items()))
    codes: dict[str, Mapping[str, int]] = {"warnings_by_code": warnings, "discrepancies_by_code": discrepancies}
    if archived.request.version > 1 and (before := _version_before(archived)):
        found = _differences(archived, before)
        body = archive_bodies.archive_changed(version.about, at=at, before=before, differences=found, **codes)
        events.append(version.event(EventType.ARCHIVE_CHANGED, at, body))
    if warnings or discrepancies:
        verdict = archives.signed_document_outcome(archived.archive.reference)
        body = archive_bodies.archive_attention(version.about, at=at, signed_document=verdict, **codes)
        events.append(version.event(EventType.ARCHIVE_ATTENTION, at, body))
    return events


def completed(reference: str, receipt_id: str, at: datetime) -> Event:
    """Return the event that a version is complete and current.

    Raises:
        Transient: the database does not answer.
    """
    return _completed(_version(reference, receipt_id), at)


def _completed(version: _Version, at: datetime) -> Event:
    reference = version.about.reference
    body = archive_bodies.archive_completed(
        version.about,
        at=at,
        has_warnings=archives.has_warnings(reference),
        discrepancies=recorded.open_discrepancies(reference, MOST_REPORTED),
        discrepancies_in_all=recorded.count_not_closed(reference)[DiscrepancyState.OPEN],
        signed_document=archives.signed_document_outcome(reference),
    )
    return version.event(EventType.ARCHIVE_COMPLETED, at, body)


def _version(reference: str, receipt_id: str) -> _Version:
    archive = archives.get(reference)
    return _Version(archive, archive_bodies.about(archive, archives.get_version(receipt_id), archive_url(reference)))


def _version_before(archived: StoredArchive) -> VersionRow | None:
    """Return the newest of the versions that are older than a version, by the times that decide what is current."""
    ids = [each.receipt_id for each in newest_first(archives.ages(archived.archive.reference))]
    older = ids[ids.index(archived.receipt_id) + 1 :]
    return archives.get_version(older[0]) if older else None


def _differences(archived: StoredArchive, before: VersionRow) -> list[Difference] | None:
    """Return the differences; None if the earlier version is damaged, which must not fail the later one."""
    try:
        earlier = stored_version(before.reference, before.version).archive()
    except Conflict as conflict:
        log.error("a version is damaged; it is unknown what has changed", why=str(conflict))
        return None
    return differences(earlier, archived.archive, settings().payment_terms)


def failed(failure: FailedReceipt) -> Event:
    """Return the event that a receipt has failed for good. Each failure of a receipt is an event of its own.

    Raises:
        Transient: the database does not answer.
    """
    archive = archives.get(failure.reference)
    body = archive_bodies.archive_failed(archive, failure, url=archive_url(failure.reference))
    identity = f"{failure.receipt_id}\n{failure.at.isoformat()}".encode()
    return _event(EventType.ARCHIVE_FAILED, archive, hashlib.sha256(identity).hexdigest(), failure.at, body)


def _event(event: EventType, archive: ArchiveRow, subject: str, at: datetime, body: bytes) -> Event:
    labels = frozenset(archives.labels(archive.reference))
    return Event(event, subject, at, body, archive.reference, archive.source, archive.template_id, labels)


def archive_url(reference: str) -> str:
    """Return the address of an archive in the JSON API."""
    return f"{settings().receiver_url}/api/archives/{quote(reference, safe='')}"


def page_url(reference: str) -> str:
    """Return the address of an archive's page in the console."""
    return f"{settings().receiver_url}/console/archives/{quote(reference, safe='')}"

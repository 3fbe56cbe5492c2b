"""Makes events with the bodies that endpoints receive, plans their messages, and summarizes a run for people.

Each event becomes a message to each endpoint, or a record of why the endpoint does not hear it.
"""

import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import structlog

from adapters.observation.log import reference_digest
from adapters.settings.settings import settings
from adapters.store.objects.requests import stored_version
from adapters.tables.archives import archives
from adapters.tables.messages import notifications
from adapters.tables.runs import refused, runs
from domain.archive.difference import differences
from domain.archive.versions import newest_first
from domain.messages import bodies
from domain.messages.attempts import TRIED_FOR, first_attempt_at
from domain.messages.bodies import MOST_REPORTED
from domain.messages.endpoints import event_id_of, message_id_of, why_skipped
from domain.messages.summaries import MOST_ROWS, summary
from domain.words.catalogue import in_words
from models.archive.archive import ArchiveRow, Difference
from models.errors import Conflict
from models.messages.bodies import AboutArchive, Attention
from models.messages.notification import EndpointRow, Event, EventRow, EventType, NotificationRow, NotificationState
from models.runs.receipt import FailedReceipt, VersionRow
from services.messages.known import known_endpoints
from services.payments import recorded
from services.receipts import StoredArchive

log = structlog.get_logger()

_MOST_AT_ONCE = 1000
_ANNOUNCED_WITHIN = timedelta(days=3)
_LONGEST_LABEL = 255


def announce(event: Event) -> None:
    """Plan the messages about an event. A repetition changes nothing: the same event has the same messages.

    Without an endpoint, nothing is kept.
    """
    messages = messages_about(event)
    if messages:
        notifications.plan(event_row(event), messages)


def messages_about(event: Event) -> list[NotificationRow]:
    """Return the messages about an event to the endpoints, also those that a filter leaves out."""
    return [message_to(each, event) for each in known_endpoints()]


def event_row(event: Event) -> EventRow:
    named = {"event_id": event_id_of(event.subject, event.type), "receipt_id": event.subject}
    return EventRow(**asdict(event) | named | {"body": event.body.decode()})


def message_to(endpoint: EndpointRow, event: Event) -> NotificationRow:
    """Return the message about an event to an endpoint: due at once, or skipped."""
    skipped_why = why_skipped(endpoint, event)
    return NotificationRow(
        message_id=message_id_of(event.subject, endpoint.identity, event.type),
        reference=event.reference,
        receipt_id=event.subject,
        endpoint=endpoint.url,
        endpoint_name=endpoint.name,
        event=event.type,
        event_id=event_id_of(event.subject, event.type),
        state=NotificationState.SKIPPED if skipped_why else NotificationState.PENDING,
        **in_words(skipped_why=skipped_why),
        planned_at=event.at,
        next_attempt_at=None if skipped_why else first_attempt_at(event),
        expires_at=event.at + TRIED_FOR,
    )


@dataclass(frozen=True, slots=True)
class _Version:
    """A version that events are about. `verdict`: that on the signed document, None without one."""

    archive: ArchiveRow
    about: AboutArchive
    has_warnings: bool
    verdict: str | None

    def event(self, event: EventType, at: datetime, body: bytes) -> Event:
        return _event(event, self.archive, self.about.receipt_id, at, body)


def events_of(archived: StoredArchive, at: datetime) -> list[Event]:
    """Return what there is to say about a version that is complete and current. The same version has the same events.

    Raises Locked if the key of an earlier version is not available.
    """
    version = _version(archived.receipt_id)
    discrepancies = recorded.count_open_by_code(archived.archive.reference)
    events = [_completed(version, at, sum(discrepancies.values()))]
    warnings = dict(sorted(Counter(str(each.code) for each in archived.archive.warnings).items()))
    codes: dict[str, dict[str, int]] = {"warnings_by_code": warnings, "discrepancies_by_code": discrepancies}
    if archived.request.version > 1 and (before := _version_before(archived)):
        found = _differences(archived, before)
        body = bodies.archive_changed(version.about, at=at, before=before, differences=found, **codes)
        events.append(version.event(EventType.ARCHIVE_CHANGED, at, body))
    if warnings or discrepancies:
        data = Attention(**version.about.model_dump(exclude_unset=True), signed_document=version.verdict, **codes)
        events.append(
            version.event(EventType.ARCHIVE_ATTENTION, at, bodies.encoded(EventType.ARCHIVE_ATTENTION, at, data))
        )
    return events


def completed(reference: str, receipt_id: str, at: datetime) -> Event:
    """Return the event that a version is complete and current."""
    return _completed(_version(receipt_id), at, sum(recorded.count_open_by_code(reference).values()))


def _completed(version: _Version, at: datetime, discrepancies: int) -> Event:
    reference = version.about.reference
    body = bodies.archive_completed(
        version.about,
        at=at,
        has_warnings=version.has_warnings,
        discrepancies=recorded.open_discrepancies(reference, MOST_REPORTED) if discrepancies else [],
        discrepancies_in_all=discrepancies,
        signed_document=version.verdict,
    )
    return version.event(EventType.ARCHIVE_COMPLETED, at, body)


def _version(receipt_id: str) -> _Version:
    archive, version, has_warnings, verdict = archives.with_version(receipt_id)
    return _Version(archive, bodies.about(archive, version, archive_url(archive.reference)), has_warnings, verdict)


def _version_before(archived: StoredArchive) -> VersionRow | None:
    """Return the newest of the versions that are older than a version, by the times that decide what is current."""
    ids = [each.receipt_id for each in newest_first(archives.ages(archived.archive.reference))]
    older = ids[ids.index(archived.receipt_id) + 1 :]
    return archives.with_version(older[0])[1] if older else None


def _differences(archived: StoredArchive, before: VersionRow) -> list[Difference] | None:
    """Return the differences; None if the earlier version is damaged, which must not fail the later one."""
    try:
        earlier = stored_version(before.reference, before.version).archive()
    except Conflict as conflict:
        log.error("a version is damaged; it is unknown what has changed", why=str(conflict))
        return None
    return differences(earlier, archived.archive, settings().payment_terms)


def failed(failure: FailedReceipt) -> Event:
    """Return the event that a receipt has failed for good. Each failure of a receipt is an event of its own."""
    archive = archives.get(failure.reference)
    body = bodies.archive_failed(archive, failure, url=archive_url(failure.reference))
    identity = f"{failure.receipt_id}\n{failure.at.isoformat()}".encode()
    return _event(EventType.ARCHIVE_FAILED, archive, hashlib.sha256(identity).hexdigest(), failure.at, body)


def _event(event: EventType, archive: ArchiveRow, subject: str, at: datetime, body: bytes) -> Event:
    return Event(event, subject, at, body, archive.reference, archive.source, archive.template_id)


def archive_url(reference: str) -> str:
    """Return the address of an archive in the JSON API."""
    return f"{settings().receiver_url}/api/archives/{quote(reference, safe='')}"


def archive_summary(archived: StoredArchive, version: int) -> str:
    """Return the summary of a run of an archive, for Prefect's UI."""
    reference = archived.archive.reference
    discrepancies = sum(recorded.count_not_closed(reference).values())
    return summary(
        archived.archive,
        recorded.not_closed(reference, MOST_ROWS) if discrepancies else [],
        notifications.of_receipt(archived.receipt_id),
        discrepancies_in_all=discrepancies,
        version=version,
        archive_url=settings().dossier_url(reference),
        terms=archived.request.payment_terms,
    )


def delivery_refused(group: str, at: datetime) -> Event:
    """Return the event that a group of deliveries was refused. A group never changes."""
    found = refused.group(group, bodies.MOST_REFUSED_REPORTED)
    return bodies.delivery_refused(group, found.newest, found.by_code, found.first_at, at, settings().receiver_url)


def announce_failure(receipt_id: str) -> list[Event]:
    """Announce that a receipt has failed for good, and return the event; none if it has not. Idempotent."""
    failure = runs.failure_of(receipt_id)
    return [_announced(failed(failure))] if failure else []


def announce_failures(now: datetime) -> list[Event]:
    """Announce the failures of the last days that no event tells: of killed workers, and of cancelled runs.

    Without endpoints no event is kept, so each call would find the same failures again: nothing happens then.
    """
    if not known_endpoints():
        return []
    return [_announced(failed(each)) for each in runs.failures_without_event(now - TRIED_FOR, _MOST_AT_ONCE)]


def _announced(event: Event) -> Event:
    announce(event)
    return event


def announce_refused(now: datetime) -> list[Event]:
    """Announce the refused deliveries that no event tells. Return the events.

    The deliveries are grouped first, and a group without an event is announced by the next call. Without endpoints
    nothing happens, and the deliveries wait for the first endpoint.
    """
    if all(each.disabled_at for each in known_endpoints()):
        return []
    refused.put_into_group(uuid4().hex, now)
    events = [delivery_refused(group, at) for group, at in refused.groups_without_event(now - _ANNOUNCED_WITHIN)]
    for each in events:
        announce(each)
    return events


def prefect_event(event: Event) -> dict[str, Any]:
    """Return an event with the members of Prefect's events, and the data that endpoints receive.

    An event has the same id each time, and Prefect's server drops repetitions: a run that is repeated tells nothing
    twice.
    """
    return {
        "event": f"cellar.{event.type}",
        "resource": _resource_of(event),
        "occurred": event.at,
        "payload": json.loads(event.body)["data"],
        "id": UUID(event_id_of(event.subject, event.type).removeprefix("evt_")),
    }


def _resource_of(event: Event) -> dict[str, str]:
    """Return what an event is about: `cellar.archive.DIGEST` with the reference as its name; else `cellar.store`,
    `cellar.payments` and so on.

    The digest is that of log lines, since a reference may have any characters.
    """
    if not event.reference:
        return {"prefect.resource.id": f"cellar.{event.type.partition('.')[0]}"}
    labels = {
        "prefect.resource.id": f"cellar.archive.{reference_digest(event.reference)}",
        "prefect.resource.name": event.reference,
        "cellar.reference": event.reference,
        "cellar.source": event.source or "",
        "cellar.template": event.template_id or "",
    }
    return {name: text[:_LONGEST_LABEL] for name, text in labels.items() if text}

"""Makes the bodies of messages, each small enough for receivers."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from domain.payments.discrepancies import told
from models.archive.archive import ArchiveRow, Change, Difference, DifferenceKind
from models.archive.verdict import Change as JudgedChange
from models.completeness.processes import MissingProcessRow
from models.discrepancies import Discrepancy
from models.messages import bodies
from models.messages.notification import Event, EventType, TurnedAway
from models.runs.receipt import FailedReceipt, RefusedDelivery, VersionRow
from models.views.archives.payments import ListedDiscrepancy

MOST_REPORTED = 50
"""The most entries of a list."""
MOST_REFUSED_REPORTED = 20


def encoded(event: EventType, at: datetime, data: bodies.Strict, listing: str | None = None) -> bytes:
    """Return the body of a message about an event as JSON in ASCII. The same event gives the same bytes. Pure.

    Args:
        listing: the list in `data` whose last entries are left out until the body fits into `MOST_BYTES`.
    """
    body = bodies.BODIES[event](type=event, timestamp=at, data=data)
    content = body.model_dump(mode="json", exclude_unset=True)
    whole = _json(content)
    while len(whole) > bodies.MOST_BYTES and listing and content["data"][listing]:
        content["data"][listing].pop()
        whole = _json(content)
    return whole


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


def about(archive: ArchiveRow, version: VersionRow, url: str) -> bodies.AboutArchive:
    """Return what each message about a version says. `url` shows the whole archive to holders of a token. Pure."""
    of_archive = archive.model_dump(include={"reference", "source", "template_id", "process_number"})
    return bodies.AboutArchive(**of_archive, **version.model_dump(include={"receipt_id", "version"}), url=url)


def archive_completed(
    archive: bodies.AboutArchive,
    *,
    at: datetime,
    has_warnings: bool,
    discrepancies: Sequence[Discrepancy],
    discrepancies_in_all: int,
    signed_document: str | None,
) -> bytes:
    """Return the body of the message about a completed version. Pure.

    `discrepancies` are the first of the open discrepancies, `discrepancies_in_all` is their total number.
    `signed_document` is the outcome of its verdict.
    """
    data = bodies.Completed(
        **archive.model_dump(exclude_unset=True),
        attention=has_warnings or bool(discrepancies),
        discrepancies=[bodies.FoundDiscrepancy(code=each.code, **told(each)) for each in discrepancies[:MOST_REPORTED]],
        discrepancies_in_all=discrepancies_in_all,
        signed_document=signed_document,
    )
    return encoded(EventType.ARCHIVE_COMPLETED, at, data, "discrepancies")


def archive_changed(
    archive: bodies.AboutArchive,
    *,
    at: datetime,
    before: VersionRow,
    differences: Iterable[Difference] | None,
    warnings_by_code: Mapping[str, int],
    discrepancies_by_code: Mapping[str, int],
) -> bytes:
    """Return the body of the message that another version than `before` is current now: numbers, never values. Pure.

    `differences` is None if the version before cannot be read.
    """
    data = bodies.Changed(
        **archive.model_dump(exclude_unset=True),
        before_version=before.version,
        before_receipt_id=before.receipt_id,
        changes=None if differences is None else _changes(differences),
        warnings_by_code=dict(warnings_by_code),
        discrepancies_by_code=dict(discrepancies_by_code),
    )
    return encoded(EventType.ARCHIVE_CHANGED, at, data)


def _changes(differences: Iterable[Difference]) -> dict[str, bodies.Changes]:
    numbers = Counter((each.kind, each.change) for each in differences)
    return {
        kind: bodies.Changes(
            added=numbers[kind, Change.ADDED],
            removed=numbers[kind, Change.REMOVED],
            changed=numbers[kind, Change.CHANGED],
        )
        for kind in DifferenceKind
        if any(numbers[kind, change] for change in Change)
    }


def archive_failed(archive: ArchiveRow, failed: FailedReceipt, *, url: str) -> bytes:
    """Return the body of the message that a receipt cannot be archived until a person acts. Pure."""
    data = bodies.Failed(
        **archive.model_dump(include={"reference", "source", "process_number"}),
        **{name: getattr(failed, name) for name in ("receipt_id", "flow_run_id", "attempt")},
        **{name: getattr(failed.cause, name) for name in ("code", "task", "sentence")},
        url=url,
    )
    return encoded(EventType.ARCHIVE_FAILED, failed.at, data)


def archive_erased(
    reference: str | None, digest: str, source: str | None, template_id: str | None, at: datetime
) -> Event:
    """Return the event that an archive was erased. It has no reference but in its body, which loses it. Pure."""
    data = bodies.Erased(reference=reference, digest=digest, source=source or "", template_id=template_id)
    body = encoded(EventType.ARCHIVE_ERASED, at, data)
    return Event(EventType.ARCHIVE_ERASED, digest, at, body, source=source, template_id=template_id)


def process_missing(missing: MissingProcessRow, *, url: str, at: datetime) -> bytes:
    """Return the body of the message that a process should have been archived. Pure.

    `url` shows all missing processes to holders of a token. Hours left are rounded down, and 0 after the deadline.
    """
    data = bodies.Missing(
        **missing.model_dump(include=set(bodies.Missing.model_fields)),
        hours_left=max(0, int((missing.deadline_at - at).total_seconds() // 3600)),
        url=url,
    )
    return encoded(EventType.PROCESS_MISSING, at, data)


def payments_discrepancies(
    subject: str, newest: Sequence[ListedDiscrepancy], by_code: Mapping[str, int], at: datetime, receiver_url: str
) -> Event:
    """Return the event that discrepancies are open: the newest, and their number by code. Pure."""
    data = bodies.Discrepancies(
        discrepancies=[_open(each) for each in newest[:MOST_REPORTED]],
        discrepancies_in_all=sum(by_code.values()),
        by_code=dict(by_code),
        url=f"{receiver_url}/api/discrepancies?state=open",
    )
    return report(EventType.PAYMENTS_DISCREPANCIES, subject, at, data, "discrepancies")


def _open(found: ListedDiscrepancy) -> bodies.OpenDiscrepancy:
    return bodies.OpenDiscrepancy.model_validate(found.model_copy(update=told(found)), from_attributes=True)


def delivery_refused(
    subject: str,
    newest: Sequence[RefusedDelivery],
    by_code: Mapping[str, int],
    first_at: datetime,
    at: datetime,
    receiver_url: str,
) -> Event:
    """Return the event that a group of deliveries was refused: the newest, and their number by code. Pure.

    `newest` has at least one delivery, and each body once. `first_at` is the time of the oldest delivery in the group.
    """
    data = bodies.Refusals(
        deliveries=[
            bodies.Refusal.model_validate(each, from_attributes=True) for each in newest[:MOST_REFUSED_REPORTED]
        ],
        deliveries_in_all=sum(by_code.values()),
        by_code=dict(by_code),
        first_at=first_at,
        last_at=newest[0].received_at,
        url=f"{receiver_url}/api/refused",
    )
    return report(EventType.DELIVERY_REFUSED, subject, at, data, "deliveries")


def documents_judged_worse(
    subject: str, worse: Sequence[JudgedChange], contradictions: int, at: datetime, receiver_url: str
) -> Event:
    """Return the event that signed documents were judged again, and worse than before. Pure.

    `contradictions` is the number of facts in which a kept verdict is better than its document.
    """
    data = bodies.Judgements(
        documents=[bodies.JudgedDocument.model_validate(each, from_attributes=True) for each in worse[:MOST_REPORTED]],
        documents_in_all=len(worse),
        contradictions=contradictions,
        url=f"{receiver_url}/api/archives?attention=true",
    )
    return report(EventType.DOCUMENTS_JUDGED_WORSE, subject, at, data, "documents")


def receiver_refusing(subject: str, turned_away: TurnedAway, at: datetime, receiver_url: str) -> Event:
    """Return the event that the receiver turns requests away. Pure."""
    data = bodies.Refusing(
        requests=sum(turned_away.by_code.values()),
        by_code=dict(turned_away.by_code),
        first_at=turned_away.first_at,
        last_at=turned_away.last_at,
        url=f"{receiver_url}/readyz",
    )
    return report(EventType.RECEIVER_REFUSING, subject, at, data)


def report(event: EventType, subject: str, at: datetime, data: bodies.Strict, listing: str | None = None) -> Event:
    """Return an event about no single archive. `subject` tells it from others of its type: what found it, as a run.
    Pure.
    """
    return Event(event, subject, at, encoded(event, at, data, listing))

"""Makes the events of an archive, with the bodies that endpoints receive."""

from datetime import datetime
from urllib.parse import quote

from adapters.settings.settings import settings
from adapters.tables import archives
from domain.messages.notification import MOST_REPORTED, archive_completed
from models.messages.event import Event, EventType
from models.payments.discrepancy import DiscrepancyState
from services.payments import recorded


def completed(reference: str, receipt_id: str, at: datetime) -> Event:
    """Return the event that a version is complete and current.

    Raises:
        Transient: the database does not answer.
    """
    archive = archives.get(reference)
    body = archive_completed(
        reference=reference,
        receipt_id=receipt_id,
        version=archives.get_version(receipt_id).version,
        planned_at=at,
        has_warnings=archives.has_warnings(reference),
        discrepancies=recorded.open_discrepancies(reference, MOST_REPORTED),
        discrepancies_in_all=recorded.count_not_closed(reference)[DiscrepancyState.OPEN],
        signed_document=archives.signed_document_outcome(reference),
        url=archive_url(reference),
    )
    return Event(
        EventType.ARCHIVE_COMPLETED,
        receipt_id,
        at,
        body,
        reference,
        archive.source,
        archive.template_id,
        frozenset(archives.labels(reference)),
    )


def archive_url(reference: str) -> str:
    """Return the address of an archive in the JSON API."""
    return f"{settings().receiver_url}/api/archives/{quote(reference, safe='')}"

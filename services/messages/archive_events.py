"""Makes the events of an archive, with the bodies that endpoints receive."""

from datetime import datetime
from urllib.parse import quote

from adapters.settings.settings import settings
from adapters.tables import archives
from domain.messages.archive_bodies import about, archive_completed
from domain.messages.body import MOST_REPORTED
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
        about(archive, archives.get_version(receipt_id), archive_url(reference)),
        at=at,
        has_warnings=archives.has_warnings(reference),
        discrepancies=recorded.open_discrepancies(reference, MOST_REPORTED),
        discrepancies_in_all=recorded.count_not_closed(reference)[DiscrepancyState.OPEN],
        signed_document=archives.signed_document_outcome(reference),
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

"""Makes summaries of runs for people, as Markdown."""

from adapters.tables.messages import notifications
from domain.messages.summaries.summary import MOST_ROWS, summary
from services.messages.events.archive_events import page_url
from services.payments import recorded
from services.receipts import StoredArchive


def archive_summary(archived: StoredArchive, version: int) -> str:
    """Return the summary of a run of an archive, for Prefect's UI.

    Raises:
        Transient: the database does not answer.
    """
    reference, receipt_id = archived.archive.reference, archived.receipt_id
    return summary(
        archived.archive,
        recorded.not_closed(reference, MOST_ROWS),
        notifications.of_receipt(receipt_id),
        discrepancies_in_all=sum(recorded.count_not_closed(reference).values()),
        version=version,
        archive_url=page_url(reference),
        terms=archived.request.payment_terms,
    )

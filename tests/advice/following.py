"""Runs an archive as a worker does, and keeps the cause of a failure."""

from collections.abc import Callable
from datetime import UTC, datetime

from adapters.tables.runs import receipts
from domain.runs import cause_of
from models.runs.receipt import Cause
from services.receipts import latest_receipt_id
from tests.installations import finished


def ran(reference: str, work: Callable[[str, str], object] = finished) -> Cause | None:
    """Run the latest receipt of a process as a worker does. Keep why that failed, and return it."""
    receipt_id = latest_receipt_id(reference)
    try:
        work(reference, receipt_id)
    except Exception as error:  # noqa: BLE001 -- whatever ends a run is kept, as in the flow
        cause = cause_of(error, None)
        receipts.set_failed(receipt_id, cause, datetime.now(UTC))
        return cause
    return None

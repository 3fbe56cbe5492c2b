"""Settles what does not add up in an archive, and between it and others."""

from datetime import UTC, datetime

from adapters import receipts
from adapters.discrepancies import settle_version
from adapters.duplicates import settle_duplicates
from adapters.holds import settle_holds
from flows.material import Material, read_material
from models.discrepancy import PAYLOAD_CODES


def settle_findings(material: Material) -> bool:
    """Settle the discrepancies of an archive that has loaded a receipt, and return whether that is the current version.

    What the current version says is settled in any case: a delivery may have made it the current one, and been killed.
    Done again, it changes nothing.

    Raises:
        Conflict: what the store has of the current version is damaged.
        Transient: store or database does not answer.
    """
    reference, now = material.archive.reference, datetime.now(UTC)
    current_id = receipts.current_receipt_id(reference)
    is_current = current_id is None or current_id == material.receipt_id
    current = material if is_current else read_material(reference, str(current_id))
    settle_version(reference, current.receipt_id, PAYLOAD_CODES, current.discrepancies, now)
    settle_duplicates(reference, now)
    settle_holds(reference, now)
    return is_current

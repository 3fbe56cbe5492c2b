"""Settles what does not add up in an archive, and between it and others."""

from collections.abc import Iterator
from datetime import UTC, datetime

import structlog

from adapters import ocfl, receipts
from adapters.discrepancies import settle_version
from adapters.duplicates import settle_duplicates
from adapters.holds import settle_holds
from adapters.settings import settings
from adapters.settlements import rematch
from adapters.stored import stored_version
from domain.booking import BookedPayment, booked
from domain.reconciliation import vanished
from flows.material import Material, read_material
from flows.threads import checkpoint
from models.discrepancy import PAYLOAD_CODES, Discrepancy
from models.errors import Conflict, Locked

log = structlog.get_logger()


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
    settle_payload(material if is_current else read_material(reference, str(current_id)), now)
    settle_duplicates(reference, now)
    rematch(reference, now)
    settle_holds(reference, now)
    return is_current


def settle_payload(current: Material, now: datetime) -> None:
    """Settle what the current version says, by itself and beside those that it has taken the place of."""
    reference = current.archive.reference
    settle_version(reference, current.receipt_id, PAYLOAD_CODES, discrepancies_of(current), now)


def discrepancies_of(current: Material) -> list[Discrepancy]:
    """What does not add up in the current version of an archive, and between it and those before."""
    terms = settings().payment_terms
    return [*current.discrepancies, *vanished(booked(current.archive, terms), _others(current))]


def _others(current: Material) -> Iterator[list[BookedPayment]]:
    """The payments of the other versions. One that is damaged holds nobody up: `verify` tells of it."""
    reference = current.archive.reference
    inventory = ocfl.inventory(reference)
    for number in range(1, inventory.head + 1 if inventory else 1):
        if number != current.request.version:
            checkpoint()
            try:
                yield booked(stored_version(reference, number).archive(), settings().payment_terms)
            except Locked:
                raise
            except Conflict:
                log.error("a version is damaged; its payments are not compared", version=number)

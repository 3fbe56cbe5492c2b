"""Reconciles the discrepancies in an archive, and between archives."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from adapters.platform.cancellation import checkpoint
from adapters.tables.archives import archives
from adapters.tables.runs import receipts
from domain.archive.versions import newest_first
from domain.payments.booking import BookedPayment, booked
from domain.payments.reconciliation import vanished
from models.discrepancies import DUPLICATE_CODES, HOLD_CODES, PAYLOAD_CODES, Discrepancy, DiscrepancyCode
from models.errors import Conflict, Locked
from models.payments import Standing
from services.payments.discrepancies import reconcile_version
from services.payments.duplicates import reconcile_duplicates
from services.payments.holds import reconcile_holds
from services.payments.recorded import may_have_discrepancies
from services.receipts import StoredArchive, stored_archive
from services.settlements.importing import rematch

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class PayloadFindings:
    """All discrepancies of `codes` in the current version, and between it and earlier versions."""

    codes: frozenset[DiscrepancyCode]
    found: list[Discrepancy]


@dataclass(frozen=True, slots=True)
class Reconciled:
    """`is_current`: the receipt belongs to the current version. `payload` is None if that version is damaged."""

    is_current: bool
    payload: PayloadFindings | None


def reconcile_findings(archived: StoredArchive) -> Reconciled:
    """Reconcile the discrepancies of an archive after one of its receipts was loaded. Idempotent.

    The current version is always reconciled, since a run that was killed may have made it current. If the current
    version is damaged, its discrepancies stay.

    Raises:
        Locked: the archive's key is not available.
    """
    reference, now = archived.archive.reference, datetime.now(UTC)
    current = _current(archived)
    payload = reconcile_payload(current, now) if current else None
    if may_have_discrepancies(reference, DUPLICATE_CODES):
        reconcile_duplicates(reference, now)
    rematch(reference, now)
    if may_have_discrepancies(reference, HOLD_CODES, {Standing.HELD}):
        reconcile_holds([reference], now)
    return Reconciled(current is not None and current.request.version == archived.request.version, payload)


def _current(archived: StoredArchive) -> StoredArchive | None:
    """Return the current version; None if it is damaged, which must not fail the receipt of this run."""
    reference = archived.archive.reference
    current_id = receipts.current_receipt_id(reference)
    if current_id is None or current_id == archived.receipt_id:
        return archived
    try:
        return stored_archive(reference, current_id)
    except Locked:
        raise
    except Conflict as conflict:
        log.error("the current version is damaged; its discrepancies stay", why=str(conflict))
        return None


def reconcile_payload(current: StoredArchive, now: datetime) -> PayloadFindings:
    """Reconcile the discrepancies in the current version, and between it and the versions that it superseded."""
    findings = payload_findings(current)
    reconcile_version(current.archive.reference, current.receipt_id, findings.codes, findings.found, now)
    return findings


def payload_findings(current: StoredArchive) -> PayloadFindings:
    """Return the findings of the current version. Vanished payments are unknown if an older version is damaged, which
    `verify` reports.
    """
    try:
        older = list(_others(current))
    except Locked:
        raise
    except Conflict as conflict:
        log.error("a version is damaged; vanished payments are unknown", why=str(conflict))
        return PayloadFindings(PAYLOAD_CODES - {DiscrepancyCode.PAYMENT_VANISHED}, current.discrepancies)
    gone = vanished(booked(current.archive, current.request.payment_terms), older) if older else []
    return PayloadFindings(PAYLOAD_CODES, [*current.discrepancies, *gone])


def _others(current: StoredArchive) -> Iterator[list[BookedPayment]]:
    """Yield the payments of the other versions, newest first."""
    reference = current.archive.reference
    for age in newest_first(archives.ages(reference)):
        if age.receipt_id != current.receipt_id:
            checkpoint()
            other = stored_archive(reference, age.receipt_id)
            yield booked(other.archive, other.request.payment_terms)

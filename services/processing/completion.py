"""Loads an archive into the database, reconciles its discrepancies, and completes it.

Before the receipt leaves the inbox, the request is rebuilt and the rows are counted.
"""

from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import structlog

from adapters.database.transactions import one_moment
from adapters.files.store import store
from adapters.platform.cancellation import checkpoint
from adapters.store.objects import history
from adapters.store.objects.requests import stored_request, stored_version
from adapters.store.sources import stated_terms_of, terms_of
from adapters.tables.archives import archives
from adapters.tables.runs import receipts
from domain.archive.versions import Age, age_of, newest_first, repeated
from domain.payments.booking import BookedPayment, booked
from domain.payments.reconciliation import vanished
from models.archive.archive import State
from models.discrepancies import DUPLICATE_CODES, HOLD_CODES, PAYLOAD_CODES, Discrepancy, DiscrepancyCode
from models.errors import Conflict, Locked
from models.messages.notification import Event
from models.payments import Standing
from models.runs.receipt import VersionRow
from models.said import Said, Sentence
from services.messages.events import announce, events_of
from services.payments import recorded
from services.payments.discrepancies import reconcile_version
from services.payments.duplicates import reconcile_duplicates
from services.payments.holds import reconcile_holds
from services.payments.recorded import may_have_discrepancies
from services.receipts import StoredArchive, leave_inbox, stored_archive
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

    Raises Locked if the archive's key is not available.
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


def load(archived: StoredArchive, ages: Collection[Age] = ()) -> int:
    """Record an archived receipt as a version, with its rows if it is current, or as a delivery. Idempotent.

    If a person has given the process away, the version that is current for its new source is loaded before: with it,
    one transaction brings the `ages` of all versions.

    Returns:
        The number of rows of the version; 0 for a delivery, which has none of its own.
    """
    archive, request = archived.archive, archived.request
    reference, number = archive.reference, request.version
    receipt, given_to, is_given = archives.owned(request.receipt_id)
    owner = given_to or request.first_source
    if is_given and not ages and archives.has_versions(reference):
        theirs = _ages(reference, owner)
        for newest in newest_first(theirs)[:1]:
            load(stored_archive(reference, newest.receipt_id, even_locked=archive.is_locked), theirs)
    age = age_of(archive.event_at, receipt.received_at, request.receipt_id, is_set_aside=receipt.source != owner)
    if request.is_version:
        version = VersionRow(reference=reference, version=number, skeleton=archived.skeleton, **asdict(age))
        version.content_root = request.content_root()
        described: dict[str, Any] = {"template_id": archive.template_id, "process_number": archive.process_number}
        described["read_on"] = stated_terms_of(request.source)
        current_id = archives.load(version, described, archived.rows, owner, terms_of(owner), ages)
    else:
        _load_missing_version(archived)
        current_id = archives.repeat(reference, age, number, owner)
    if current_id:
        load(stored_archive(reference, current_id, even_locked=archive.is_locked))
    return sum(len(rows) for rows in archived.rows.values()) if request.is_version else 0


def _ages(reference: str, owner: str) -> Collection[Age]:
    """Return the ages of all versions as they are if a source owns the process. Raises Conflict if one is damaged."""
    arrivals, ages = archives.arrivals(reference, owner), dict[int, Age]()
    requests = [found for receipt_id in arrivals if (found := stored_request(reference, receipt_id))]
    for request in sorted(requests, key=lambda each: not each.is_version):
        arrived_at, is_theirs = arrivals[request.receipt_id]
        age = age_of(request.event_at(), arrived_at, request.receipt_id, is_set_aside=not is_theirs)
        ages[request.version] = age if request.is_version else repeated(ages[request.version], age)
    return ages.values()


def _load_missing_version(archived: StoredArchive) -> None:
    """Load the version that a delivery repeats, if the database lacks it: both runs may have been killed."""
    reference = archived.archive.reference
    version = stored_version(reference, archived.request.version)
    if not archives.has_version(version.receipt_id):
        load(stored_archive(reference, version.receipt_id, even_locked=archived.archive.is_locked))


def complete(archived: StoredArchive, reconciled: PayloadFindings | None) -> list[Event]:
    """Read an archive back, announce it, and complete its receipt. Idempotent.

    Returns:
        The events: none if another version is current.

    Args:
        reconciled: the findings in the current version's payload, as just reconciled, to save finding them again.

    Raises:
        Conflict: store or database does not return what was written.
        Transient: store, database or the inbox's bucket does not answer.
    """
    reference, receipt_id, now = archived.archive.reference, archived.receipt_id, datetime.now(UTC)
    events = read_back(archived, reconciled, now)
    for each in events:
        announce(each)
    receipts.set_state(receipt_id, State.COMPLETED, now)
    history.keep(reference, receipt_id, is_archived=True)
    leave_inbox(receipt_id)
    return events


def read_back(archived: StoredArchive, reconciled: PayloadFindings | None, at: datetime | None = None) -> list[Event]:
    """Check that store and database return what was written. Raises as `complete`; `at` asks for its events."""

    def read_rows() -> list[Event]:
        with one_moment():
            return events_of(archived, at) if _has_its_rows(archived, reconciled) and at else []

    events: list[Event] = store().do_all(partial(_check_whole, archived), read_rows)[1]
    return events


def _check_whole(archived: StoredArchive) -> None:
    if not archived.request.is_whole():  # byte for byte, since the body leaves the inbox
        raise _not_read_back(Sentence.body_differs(receipt=archived.receipt_id))


def _has_its_rows(archived: StoredArchive, reconciled: PayloadFindings | None) -> bool:
    """Check that the database returns what was written, and return whether the receipt is the current version."""
    if not archived.request.is_version:  # it has no rows of its own
        return False
    skeleton, current_id = archives.loaded(archived.receipt_id)
    if skeleton != archived.skeleton:
        raise _not_read_back(Sentence.skeleton_differs(receipt=archived.receipt_id))
    if current_id != archived.receipt_id:
        return False
    for table, found in archives.row_counts(archived.archive.reference, list(archived.rows)).items():
        expected = len(archived.rows[table])
        if found != expected:
            raise _not_read_back(Sentence.rows_differ(expected=expected, table=str(table.__tablename__), found=found))
    if reconciled is None:
        raise _not_read_back(Sentence.version_changed())
    # Discrepancies with other codes change independently of the payload.
    if not recorded.are_not_closed(archived.archive.reference, reconciled.codes, reconciled.found):
        raise _not_read_back(Sentence.discrepancies_differ(expected=len(reconciled.found)))
    return True


def _not_read_back(what: Said) -> Conflict:
    return Conflict(what, code="NOT_READ_BACK")

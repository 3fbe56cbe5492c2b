"""Makes the bodies of messages about one archive, or about a process whose archive is missing."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from domain.messages.bodies.body import MOST_REPORTED, encoded
from domain.payments.sentences import sentence, shown_transaction
from models.archive.archive import ArchiveRow, Change, Difference, DifferenceKind
from models.completeness.processes import MissingProcessRow
from models.messages.bodies import (
    AboutArchive,
    Attention,
    Changed,
    Changes,
    Completed,
    Failed,
    FoundDiscrepancy,
    Missing,
    cut,
)
from models.messages.event import EventType
from models.payments import Discrepancy
from models.runs.cause import FailedReceipt
from models.runs.receipt import VersionRow


def about(archive: ArchiveRow, version: VersionRow, url: str) -> AboutArchive:
    """Return what each message about a version says. `url` shows the whole archive to holders of a token. Pure."""
    return AboutArchive(
        reference=archive.reference,
        receipt_id=version.receipt_id,
        version=version.version,
        source=archive.source,
        template_id=archive.template_id,
        process_number=archive.process_number,
        url=url,
    )


def archive_completed(
    archive: AboutArchive,
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
    data = Completed(
        **archive.model_dump(exclude_unset=True),
        attention=has_warnings or bool(discrepancies),
        discrepancies=[_found(each) for each in discrepancies[:MOST_REPORTED]],
        discrepancies_in_all=discrepancies_in_all,
        signed_document=signed_document,
    )
    return encoded(EventType.ARCHIVE_COMPLETED, at, data, "discrepancies")


def _found(found: Discrepancy) -> FoundDiscrepancy:
    expected, got = cut(found.expected), cut(found.found)
    return FoundDiscrepancy(
        code=found.code,
        transaction_id=shown_transaction(found.code, found.transaction_id),
        expected=expected,
        found=got,
        sentence=sentence(found.code, expected, got),
    )


def archive_changed(
    archive: AboutArchive,
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
    data = Changed(
        **archive.model_dump(exclude_unset=True),
        before_version=before.version,
        before_receipt_id=before.receipt_id,
        changes=None if differences is None else _changes(differences),
        warnings_by_code=dict(warnings_by_code),
        discrepancies_by_code=dict(discrepancies_by_code),
    )
    return encoded(EventType.ARCHIVE_CHANGED, at, data)


def _changes(differences: Iterable[Difference]) -> dict[str, Changes]:
    numbers = Counter((each.kind, each.change) for each in differences)
    return {
        kind: Changes(
            added=numbers[kind, Change.ADDED],
            removed=numbers[kind, Change.REMOVED],
            changed=numbers[kind, Change.CHANGED],
        )
        for kind in DifferenceKind
        if any(numbers[kind, change] for change in Change)
    }


def archive_attention(
    archive: AboutArchive,
    *,
    at: datetime,
    warnings_by_code: Mapping[str, int],
    discrepancies_by_code: Mapping[str, int],
    signed_document: str | None,
) -> bytes:
    """Return the body of the message that a person should look at an archive. Pure."""
    data = Attention(
        **archive.model_dump(exclude_unset=True),
        warnings_by_code=dict(warnings_by_code),
        discrepancies_by_code=dict(discrepancies_by_code),
        signed_document=signed_document,
    )
    return encoded(EventType.ARCHIVE_ATTENTION, at, data)


def archive_failed(archive: ArchiveRow, failed: FailedReceipt, *, url: str) -> bytes:
    """Return the body of the message that a receipt cannot be archived until a person acts. Pure."""
    data = Failed(
        reference=archive.reference,
        receipt_id=failed.receipt_id,
        source=archive.source,
        process_number=archive.process_number,
        code=failed.cause.code,
        task=failed.cause.task,
        sentence=failed.cause.sentence,
        flow_run_id=failed.flow_run_id,
        attempt=failed.attempt,
        url=url,
    )
    return encoded(EventType.ARCHIVE_FAILED, failed.at, data)


def process_missing(missing: MissingProcessRow, *, url: str, at: datetime) -> bytes:
    """Return the body of the message that a process should have been archived. Pure.

    `url` shows all missing processes to holders of a token. Hours left are rounded down, and 0 after the deadline.
    """
    data = Missing(
        **missing.model_dump(include=set(Missing.model_fields)),
        hours_left=max(0, int((missing.deadline_at - at).total_seconds() // 3600)),
        url=url,
    )
    return encoded(EventType.PROCESS_MISSING, at, data)

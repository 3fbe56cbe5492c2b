"""Makes the messages for downstream systems: about archives, the store, open discrepancies, and refused deliveries.

docs/notifications.md describes them for receivers.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from domain.payments.sentences import sentence, shown_transaction
from models.archive.judgement import Change
from models.payments.discrepancy import Discrepancy
from models.runs.refused import RefusedDelivery
from models.views.payments import ListedDiscrepancy

ARCHIVE_COMPLETED = "archive.completed"
DELIVERY_REFUSED = "delivery.refused"
DOCUMENTS_JUDGED_WORSE = "documents.judged_worse"
PAYMENTS_DISCREPANCIES = "payments.discrepancies"
STORE_DAMAGED = "store.damaged"
STORE_UNVERIFIED = "store.unverified"
MOST_REPORTED = 50
MOST_REFUSED_REPORTED = 20


def message_id_of(subject: str, endpoint: str, event: str = ARCHIVE_COMPLETED) -> str:
    """Return the message id of a receipt, or of a group of refused deliveries, and an endpoint.

    It never changes, so receivers can ignore repetitions.
    """
    identity = "\n".join((event, subject, endpoint)).encode()
    return f"msg_{hashlib.sha256(identity).hexdigest()[:32]}"


def archive_completed(  # noqa: PLR0913 -- one argument for each member
    *,
    reference: str,
    receipt_id: str,
    version: int,
    planned_at: datetime,
    has_warnings: bool,
    discrepancies: Sequence[Discrepancy],
    discrepancies_in_all: int,
    signed_document: str | None,
    url: str,
) -> bytes:
    """Return the body of the message about a completed version. Pure: the same input gives the same bytes.

    `discrepancies` are the first of the open discrepancies, `discrepancies_in_all` is their total number.
    `signed_document` is the outcome of its verdict. The body has no personal data. `url` shows the whole archive to
    holders of a token.
    """
    data = {
        "reference": reference,
        "receipt_id": receipt_id,
        "version": version,
        "attention": has_warnings or bool(discrepancies),
        "discrepancies": [_told(each) for each in discrepancies[:MOST_REPORTED]],
        "discrepancies_in_all": discrepancies_in_all,
        "signed_document": signed_document,
        "url": url,
    }
    return _body(ARCHIVE_COMPLETED, planned_at, data)


def _told(found: Discrepancy) -> dict[str, str | None]:
    return {
        "code": found.code,
        "transaction_id": shown_transaction(found.code, found.transaction_id),
        "expected": found.expected,
        "found": found.found,
        "sentence": sentence(found.code, found.expected, found.found),
    }


def payments_discrepancies(
    newest: Sequence[ListedDiscrepancy], by_code: Mapping[str, int], *, url: str, at: datetime
) -> bytes:
    """Return the body of the message about open discrepancies: the newest, and their number by code. Pure.

    `url` shows all open discrepancies to holders of a token.
    """
    data = {
        "discrepancies": [_listed(each) for each in newest],
        "discrepancies_in_all": sum(by_code.values()),
        "by_code": dict(by_code),
        "url": url,
    }
    return _body(PAYMENTS_DISCREPANCIES, at, data)


def _listed(found: ListedDiscrepancy) -> dict[str, Any]:
    named = {"reference", "discrepancy_id", "code", "expected", "found", "sentence", "opened_at"}
    told = {"transaction_id": shown_transaction(found.code, found.transaction_id)}
    return found.model_dump(mode="json", include=named) | told


def delivery_refused(
    newest: Sequence[RefusedDelivery], by_code: Mapping[str, int], *, first_at: datetime, url: str, at: datetime
) -> bytes:
    """Return the body of the message about a group of refused deliveries: the newest, and their number by code. Pure.

    `newest` has at least one delivery, and each body once. `first_at` is the time of the oldest delivery in the group.
    `url` shows all refused deliveries to holders of a token.
    """
    data = {
        "deliveries": [_refused(each) for each in newest],
        "deliveries_in_all": sum(by_code.values()),
        "by_code": dict(by_code),
        "first_at": first_at.isoformat(),
        "last_at": newest[0].received_at.isoformat(),
        "url": url,
    }
    return _body(DELIVERY_REFUSED, at, data)


def _refused(delivery: RefusedDelivery) -> dict[str, Any]:
    named = {"reference": delivery.reference, "process_number": delivery.process_number}
    reason = {"code": delivery.code, "where": delivery.where, "detail": delivery.detail}
    return {"receipt_id": delivery.receipt_id} | named | reason | {"received_at": delivery.received_at.isoformat()}


def documents_judged_worse(worse: Sequence[Change], contradictions: int, *, url: str, at: datetime) -> bytes:
    """Return the body of the message that signed documents were judged again, and worse than before. Pure.

    `contradictions` is the number of facts in which a kept verdict is better than its document. `url` shows the
    archives that need attention to holders of a token.
    """
    documents = [
        {"reference": each.reference, "version": each.version, "before": each.before, "now": each.now}
        for each in worse[:MOST_REPORTED]
    ]
    counts = {"documents_in_all": len(worse), "contradictions": contradictions}
    return _body(DOCUMENTS_JUDGED_WORSE, at, {"documents": documents} | counts | {"url": url})


def store_damaged(findings: int, found_at: datetime) -> bytes:
    """Return the body of the message that a number of files in the store are damaged. Pure."""
    return _body(STORE_DAMAGED, found_at, {"findings": findings})


def store_unverified(found_at: datetime) -> bytes:
    """Return the body of the message that the check of the store failed, so its state is unknown. Pure."""
    return _body(STORE_UNVERIFIED, found_at, {})


def _body(event: str, at: datetime, data: dict[str, Any]) -> bytes:
    body = {"type": event, "timestamp": at.isoformat(), "data": data}
    return json.dumps(body, separators=(",", ":")).encode()

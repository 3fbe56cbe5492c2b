"""What downstream systems are told: about an archive, about the store, and about what does not add up.

docs/notifications.md is for those who receive it.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from domain.payments.sentences import sentence, shown_transaction
from models.payments.discrepancy import Discrepancy
from models.views.payments import ListedDiscrepancy

ARCHIVE_COMPLETED = "archive.completed"
PAYMENTS_DISCREPANCIES = "payments.discrepancies"
STORE_DAMAGED = "store.damaged"
STORE_UNVERIFIED = "store.unverified"
MOST_TOLD = 50


def message_id_of(receipt_id: str, endpoint: str) -> str:
    """The same for the same receipt and endpoint, always: a receiver that has seen it can leave the message out."""
    identity = "\n".join((ARCHIVE_COMPLETED, receipt_id, endpoint)).encode()
    return f"msg_{hashlib.sha256(identity).hexdigest()[:32]}"


def archive_completed(  # noqa: PLR0913 -- one for each member
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
    """Return the body that tells about a completed version. Pure: the same input, the same bytes.

    `discrepancies` are the first of those that nobody has explained, `discrepancies_in_all` is how many there are.
    `signed_document` is the outcome of its verdict. Nothing is personal; `url` leads to the whole archive for who has a
    token.
    """
    data = {
        "reference": reference,
        "receipt_id": receipt_id,
        "version": version,
        "attention": has_warnings or bool(discrepancies),
        "discrepancies": [_told(each) for each in discrepancies[:MOST_TOLD]],
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
    """Return the body that tells which discrepancies nobody has explained: the newest, and how many there are of each
    code. Pure. `url` leads to all of them for who has a token.
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


def store_damaged(findings: int, found_at: datetime) -> bytes:
    """Return the body that tells that so many files of the store are not as they were written. Pure."""
    return _body(STORE_DAMAGED, found_at, {"findings": findings})


def store_unverified(found_at: datetime) -> bytes:
    """Return the body that tells that the check of the store broke, so nobody knows how it is. Pure."""
    return _body(STORE_UNVERIFIED, found_at, {})


def _body(event: str, at: datetime, data: dict[str, Any]) -> bytes:
    body = {"type": event, "timestamp": at.isoformat(), "data": data}
    return json.dumps(body, separators=(",", ":")).encode()

"""What downstream systems are told about an archive."""

import hashlib
import json
from datetime import datetime
from typing import Any

ARCHIVE_COMPLETED = "archive.completed"
STORE_DAMAGED = "store.damaged"


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
    attention: bool,
    signed_document: str | None,
    url: str,
) -> bytes:
    """Return the body that tells about a completed version. Pure: the same input, the same bytes.

    `signed_document` is the outcome of its verdict. Nothing is personal; `url` leads to the whole archive for who has a
    token.
    """
    data = {
        "reference": reference,
        "receipt_id": receipt_id,
        "version": version,
        "attention": attention,
        "signed_document": signed_document,
        "url": url,
    }
    return _body(ARCHIVE_COMPLETED, planned_at, data)


def store_damaged(findings: int, found_at: datetime) -> bytes:
    """Return the body that tells that so many files of the store are not as they were written. Pure."""
    return _body(STORE_DAMAGED, found_at, {"findings": findings})


def _body(event: str, at: datetime, data: dict[str, Any]) -> bytes:
    body = {"type": event, "timestamp": at.isoformat(), "data": data}
    return json.dumps(body, separators=(",", ":")).encode()

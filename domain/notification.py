"""What downstream systems are told about an archive."""

import hashlib
import json
from datetime import datetime

ARCHIVE_COMPLETED = "archive.completed"


def message_id_of(receipt_id: str, endpoint: str) -> str:
    """The same for the same receipt and endpoint, always: a receiver that has seen it can leave the message out."""
    identity = "\n".join((ARCHIVE_COMPLETED, receipt_id, endpoint)).encode()
    return f"msg_{hashlib.sha256(identity).hexdigest()[:32]}"


def archive_completed(
    *, reference: str, receipt_id: str, version: int, planned_at: datetime, attention: bool, url: str
) -> bytes:
    """Return the body that tells about a completed version. Pure: the same input, the same bytes.

    It holds nothing personal; `url` leads to the whole archive for who has a token.
    """
    data = {
        "reference": reference,
        "receipt_id": receipt_id,
        "version": version,
        "attention": attention,
        "url": url,
    }
    body = {"type": ARCHIVE_COMPLETED, "timestamp": planned_at.isoformat(), "data": data}
    return json.dumps(body, separators=(",", ":")).encode()

"""Makes archives for the engines: signed leases with a form, about 200 KB, each with its own payment and scan."""

import base64
import itertools
import json
import random
from datetime import UTC, datetime
from typing import Any

from cli.simulation.payloads.processes import Case
from cli.simulation.payloads.scenarios import SCENARIOS

SIZE_BYTES = 200_000
_PLACEHOLDER = b"@reference@"
_REFERENCE_DIGITS = 12  # digits are valid base64, so the scan begins with the reference
# A transaction in two archives would be a discrepancy, and each archive would reconcile all earlier archives.
_TRANSACTION = f"8f14e45f-ceea-467f-a0e6-{_PLACEHOLDER.decode()}"
_numbers = itertools.count(random.randrange(10**9))


def template() -> bytes:
    """Return an archive without its reference. Call it outside of a running event loop, since it signs a PDF."""
    now = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)  # as Cellosign writes times
    case = Case(_PLACEHOLDER.decode(), _TRANSACTION, 17, now, random.Random(17), "17")
    body, _ = SCENARIOS["lease-he"](case)
    archive = json.loads(body)
    archive["payments"][0]["provider_transaction_result"]["cguid"] = _PLACEHOLDER.decode()
    attachment = archive["attachments"][0]
    attachment["content"] = _PLACEHOLDER.decode()
    left_bytes = SIZE_BYTES - len(_encoded(archive))
    attachment["content"] += base64.b64encode(random.Random(18).randbytes(left_bytes // 4 * 3)).decode()
    return _encoded(archive)


def references(count: int) -> list[str]:
    """Return references that were never used before."""
    return [f"{number:0{_REFERENCE_DIGITS}}" for number in itertools.islice(_numbers, count)]


def archive(made: bytes, reference: str) -> bytes:
    """Return the body of an archive: the template with the reference, which makes payment and scan unique."""
    return made.replace(_PLACEHOLDER, reference.encode())


def _encoded(archive: Any) -> bytes:
    return json.dumps(archive, ensure_ascii=False).encode()

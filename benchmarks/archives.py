"""Archives for the engine: a signed lease with its form, about 200 KB each; payment and scan are its own."""

import base64
import itertools
import json
import random
from datetime import UTC, datetime
from typing import Any

from cli.simulation.payloads.processes import Case
from cli.simulation.payloads.scenarios import lease_he

SIZE_BYTES = 200_000
_PLACEHOLDER = b"@reference@"
_REFERENCE_DIGITS = 12  # digits are base64 too, so the reference is also how the scan begins
# Two archives with one transaction would be a discrepancy, and each would settle that of all before it.
_TRANSACTION = f"8f14e45f-ceea-467f-a0e6-{_PLACEHOLDER.decode()}"
_numbers = itertools.count(random.randrange(10**9))


def template() -> bytes:
    """An archive without its reference. Not to be called inside a running event loop, as its PDF is signed here."""
    now = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)  # as Cellosign writes times
    case = Case(_PLACEHOLDER.decode(), _TRANSACTION, 17, now, random.Random(17))
    body, _ = lease_he(case)
    archive = json.loads(body)
    archive["payments"][0]["provider_transaction_result"]["cguid"] = _PLACEHOLDER.decode()
    attachment = archive["attachments"][0]
    attachment["content"] = _PLACEHOLDER.decode()
    left_bytes = SIZE_BYTES - len(_encoded(archive))
    attachment["content"] += base64.b64encode(random.Random(18).randbytes(left_bytes // 4 * 3)).decode()
    return _encoded(archive)


def references(count: int) -> list[str]:
    """References that were never used before."""
    return [f"{number:0{_REFERENCE_DIGITS}}" for number in itertools.islice(_numbers, count)]


def archive(made: bytes, reference: str) -> bytes:
    """The body of an archive: its reference stands wherever it belongs; payment and scan are its own."""
    return made.replace(_PLACEHOLDER, reference.encode())


def _encoded(archive: Any) -> bytes:
    return json.dumps(archive, ensure_ascii=False).encode()

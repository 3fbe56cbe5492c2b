"""The same requests at once, and again and again, fifty at a time: one archive, version, payment and file each.

REDELIVERIES=10000 sends ten thousand (default: 300).
"""

import os
import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.conftest import completed
from tests.faults.installation import SECRET, Installation
from tests.faults.load import Sent, at_once

pytestmark = [pytest.mark.faults, pytest.mark.timeout(7200)]

_REDELIVERIES = int(os.environ.get("REDELIVERIES", "300"))
_AT_ONCE = 50
_ARCHIVES = 20


def test_fifty_identical_requests_at_once_make_one_archive(parts: Installation) -> None:
    sent = Sent()
    kind = "bucket" if parts.database else "folder"

    given = at_once(_AT_ONCE, lambda: sent.send(parts.url, SECRET, f"fifty at once, {kind}"))

    assert given == _AT_ONCE
    completed(parts, sent, f"50 identical requests at once ({kind})", time.monotonic())


def test_redeliveries_fifty_at_a_time_double_nothing(parts: Installation) -> None:
    """Some arrive while their archive is processed, and others after it."""
    sent, chance = Sent(), random.Random(_REDELIVERIES)
    kind = "bucket" if parts.database else "folder"
    references = [f"redelivered, {kind}, {chance.randrange(_ARCHIVES)}" for _ in range(_REDELIVERIES)]

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        given = sum(pool.map(lambda each: _until_acknowledged(parts, sent, each), references))

    assert given == _REDELIVERIES
    completed(parts, sent, f"{_REDELIVERIES} re-deliveries, 50 at a time ({kind})", time.monotonic())


def _until_acknowledged(parts: Installation, sent: Sent, reference: str) -> bool:
    sent.send_until_acknowledged(parts.url, SECRET, reference)
    return True

"""Archived requests: damage to the record of a delivery is detected."""

import hashlib
import json
from contextlib import suppress
from pathlib import Path

import pytest

from adapters.files.store import store
from adapters.settings.settings import Settings, settings
from adapters.store import ocfl
from adapters.store.objects.deliveries import delivery_path
from adapters.store.objects.requests import StoredRequest, stored_request
from adapters.store.ocfl import CUTS
from models.errors import Conflict
from tests.installations import archived, request_of
from tests.samples import sample_body


@pytest.fixture
def delivery(sqlite_installation: Settings) -> str:
    """Return the receipt of a request with the same content as the previous version."""
    archived("process-1", sample_body())
    return archived("process-1", json.dumps(json.loads(sample_body()), indent=1).encode())


def _record(reference: str, receipt_id: str) -> str:
    """Return the key of the record of a delivery in the store."""
    return f"{ocfl.object_key(reference)}/{delivery_path(receipt_id)}"


def test_any_flipped_bit_of_a_delivery_is_damage(delivery: str) -> None:
    path = Path(settings().store_location) / _record("process-1", delivery)
    text = path.read_bytes()

    overlooked = list[StoredRequest | None]()
    for place in range(len(text)):
        for bit in range(8):
            flipped = bytearray(text)
            flipped[place] ^= 1 << bit
            path.write_bytes(flipped)
            with suppress(Conflict):
                overlooked.append(stored_request("process-1", delivery))

    assert overlooked == []
    assert len(text) > 100


def test_file_that_the_body_does_not_need_is_checked_against_its_digest(delivery: str) -> None:
    request = request_of("process-1", delivery)
    assert request.is_whole()
    cuts = store().read_bytes(request.keys[CUTS])
    store().overwrite_bytes(cuts.replace(b"{", b"{ ", 1), request.keys[CUTS])

    assert hashlib.sha256(b"".join(request.body())).hexdigest() == delivery
    assert not request.is_whole()

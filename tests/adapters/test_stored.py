"""Requests as they are archived: a delivery's record proves itself."""

import json
from contextlib import suppress
from pathlib import Path

import pytest

from adapters import store
from adapters.settings import Settings, settings
from adapters.stored import StoredRequest, delivery_key, stored_request
from models.errors import Conflict
from tests.installations import archived
from tests.samples import sample_body


@pytest.fixture
def delivery(sqlite_installation: Settings) -> str:
    """The receipt of a request that says the same as the version before."""
    archived("process-1", sample_body())
    return archived("process-1", json.dumps(json.loads(sample_body()), indent=1).encode())


def test_any_flipped_bit_of_a_delivery_is_damage(delivery: str) -> None:
    path = Path(settings().store_location) / delivery_key("process-1", delivery)
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


def test_delivery_that_has_no_digest_of_itself_is_read(delivery: str) -> None:
    """As earlier builds have written it."""
    key, before = delivery_key("process-1", delivery), stored_request("process-1", delivery)
    receipt = json.loads(store.read_bytes(key))
    del receipt["sha256"]
    store.overwrite_bytes(json.dumps(receipt).encode(), key)

    assert before
    assert stored_request("process-1", delivery) == before

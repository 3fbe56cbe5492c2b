"""A key that is lost is never made anew: nothing changes until it is back, and then all is right."""

import asyncio
import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import structlog

from adapters import inbox, ocfl, receipts, seals, store
from adapters.settings import Settings, _kept_secret, settings
from adapters.trigger import trigger
from flows.persisting import persist
from flows.verifying import object_of, stored_objects, verify_beside, verify_object, verify_objects
from models.archive import State
from models.errors import Locked
from models.fixity import Fault
from models.receipt import Sending
from models.run import Trigger
from tests.flows.conftest import received
from tests.installations import archived, finished, stored_body
from tests.samples import sample_document

pytestmark = pytest.mark.usefixtures("sqlite_installation")

FINGERPRINT = "keys/fingerprint.json"


def body(timestamp: str = "2026-01-01T00:00:00Z", reference: str = "process-1", **secrets: str) -> bytes:
    document = sample_document()
    document |= {"reference": reference, "event": document["event"] | {"timestamp": timestamp}}
    document["payments"][0]["provider_transaction_result"] |= secrets
    return json.dumps(document).encode()


def lose(location: str) -> bytes:
    """Take a key out of the store, and return the backup."""
    backup = store.read_bytes(location)
    (Path(settings().store_location) / location).unlink()
    seals._fingerprint_key.cache_clear()  # another process
    return backup


def in_store() -> dict[str, bytes]:
    return {key: store.read_bytes(key) for folder in (ocfl.ROOT, seals.ROOT) for key, _ in store.listed(folder)}


def swept(sending: Sending) -> bool:
    return asyncio.run(trigger(sending, Trigger.SWEEP))


def test_lost_data_key_locks_its_archive_until_it_is_back() -> None:
    sent = body()
    first = archived("process-1", sent)
    backup = lose(seals.key_location("process-1"))
    before = in_store()

    same = received("process-1", sent)
    newer = received("process-1", newer_body := body("2026-02-01T00:00:00Z"))
    changed = received("process-1", changed_body := body("2026-03-01T00:00:00Z", cguid="another"))
    for sending in (newer, changed):
        with pytest.raises(Locked, match="is gone"):
            persist("process-1", sending.receipt_id)
    with structlog.testing.capture_logs() as said:
        assert [swept(same) for _ in range(3)] == [False] * 3
    assert [each["event"] for each in said if each["log_level"] == "error"] == [
        "a complete archive is locked; it waits"
    ]

    assert in_store() == before
    assert all(inbox.has_body(each.receipt_id) for each in (same, newer, changed))

    store.overwrite_bytes(backup, seals.key_location("process-1"))
    assert not swept(same)
    for sending in (newer, changed):
        finished("process-1", sending.receipt_id)
    ids = (first, newer.receipt_id, changed.receipt_id)
    assert [stored_body("process-1", each) for each in ids] == [sent, newer_body, changed_body]
    assert not any(map(inbox.has_body, ids))
    assert State(receipts.get(first).state) is State.COMPLETED
    assert verify_object(object_of("process-1")).findings == ()


def test_archive_that_has_nothing_sealed_may_get_a_key() -> None:
    """It is from before sealing, or had no secret yet."""
    plain = json.loads(body())
    plain["payments"] = []
    archived("process-1", json.dumps(plain).encode())
    with suppress(FileNotFoundError):
        lose(seals.key_location("process-1"))

    receipt_id = archived("process-1", body("2026-02-01T00:00:00Z"))

    assert stored_body("process-1", receipt_id) == body("2026-02-01T00:00:00Z")


@pytest.mark.parametrize("left", [(), ("key",)])
def test_lost_key_of_the_fingerprints_is_not_made_anew_where_there_are_some(left: tuple[str, ...]) -> None:
    archived("process-1", body())
    told = seals.fingerprint("69796709")
    backup = lose(FINGERPRINT)
    if not left:
        lose(seals.key_location("process-1"))  # all keys are: the archive is sealed

    with pytest.raises(Locked, match=r"fingerprint\.json is gone"):
        seals.fingerprint("69796709")
    with pytest.raises(Locked):
        persist("process-2", received("process-2", body(reference="process-2")).receipt_id)
    assert store.stored_size(FINGERPRINT) is None

    store.overwrite_bytes(backup, FINGERPRINT)
    assert seals.fingerprint("69796709") == told


def test_settlements_alone_keep_the_key_of_the_fingerprints() -> None:
    seals.fingerprint("69796709")
    store.keep_bytes(b"{}", f"{seals.SETTLEMENTS}/{'a' * 64}.json")
    lose(FINGERPRINT)

    with pytest.raises(Locked):
        seals.fingerprint("69796709")


@pytest.mark.parametrize("damage", [None, "", "A" * 87 + "\n=", "\udcff"])
def test_lost_or_damaged_master_key_locks_and_no_other_is_made(
    configure: Callable[..., Settings], damage: str | None
) -> None:
    receipt_id = archived("process-1", body())
    before, master = in_store(), settings().data_dir.absolute() / "secrets" / "seal"
    whole = master.read_text()
    master.unlink()
    if damage is not None:
        master.write_text(damage, errors="surrogateescape")
    _kept_secret.cache_clear()

    with pytest.raises(Locked, match="secrets/seal"):
        stored_body("process-1", receipt_id)
    with pytest.raises(Locked, match="secrets/seal"):
        persist("process-2", received("process-2", body(reference="process-2")).receipt_id)
    assert master.exists() == (damage is not None)
    assert in_store() == before

    master.write_text(whole)
    assert stored_body("process-1", receipt_id) == body()


def findings() -> list[tuple[str, Fault]]:
    fixity = verify_objects(stored_objects()) + verify_beside()
    assert all("CELLAR_SEAL_KEYS" in each.expected for each in fixity.findings)
    return [(each.key, each.fault) for each in fixity.findings]


def test_key_that_cannot_be_had_is_a_finding_once_an_archive() -> None:
    archived("process-1", body())
    archived("process-1", body("2026-02-01T00:00:00Z"))  # a delivery
    archived("process-2", body(reference="process-2"))
    assert findings() == []
    data_key = seals.key_location("process-1")

    backups = {location: lose(location) for location in (data_key, FINGERPRINT)}
    assert findings() == [(data_key, Fault.MISSING), (FINGERPRINT, Fault.MISSING)]
    for location, damage in ((data_key, b"{"), (FINGERPRINT, store.read_bytes(seals.key_location("process-2")))):
        store.overwrite_bytes(damage, location)
    assert findings() == [(data_key, Fault.DAMAGED), (FINGERPRINT, Fault.DAMAGED)]
    for location, backup in backups.items():
        store.overwrite_bytes(backup, location)
    assert findings() == []


def test_settlement_reports_are_held_against_their_digests() -> None:
    seals.fingerprint("69796709")
    rows = b'{"entries": [\n]}\n'
    whole, damaged, gone = hashlib.sha256(rows).hexdigest(), "a" * 64, "b" * 64
    for name in (f"{whole}.json", f"{damaged}.json", f"{damaged}.imported", f"{whole}.imported", f"{gone}.imported"):
        store.keep_bytes(rows, f"settlements/{name}")

    fixity = verify_beside()

    assert [(each.key, each.fault) for each in fixity.findings] == [
        (f"settlements/{damaged}.json", Fault.DAMAGED),
        (f"settlements/{gone}.json", Fault.MISSING),
    ]
    assert fixity.files == 5

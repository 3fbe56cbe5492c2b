"""Sealed values, bodies and fingerprints, with keys in a folder or a bucket."""

import hashlib
import json
import os
import secrets
import threading
import tracemalloc
from base64 import b64encode
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import settings as with_settings
from hypothesis import strategies as st

from adapters.files.store import store
from adapters.store import ocfl, seals
from models.errors import Conflict, Locked
from tests.conftest import Configure, bucket_at

MIB = 1 << 20


def master_key() -> str:
    return b64encode(os.urandom(64)).decode()


@pytest.fixture(params=["folder", "bucket"], autouse=True)
def kind(request: pytest.FixtureRequest, configure: Configure) -> str:
    """Configure an empty store of each kind."""
    if request.param == "bucket":
        url = f"s3://archives/{secrets.token_hex(8)}"
        configure(store_url=url, **bucket_at(request.getfixturevalue("s3_server")))
    return str(request.param)


def test_sealed_value_is_opened_only_for_its_archive() -> None:
    ciphertext = seals.sealer("process-1")[0](b"secret")
    seals.sealer("process-2")[0](b"another")

    assert b"secret" not in ciphertext
    assert seals.opener("process-1")[0](ciphertext) == b"secret"
    with pytest.raises(Conflict, match="damaged"):
        seals.opener("process-2")[0](ciphertext)


def test_sealing_is_deterministic_within_an_archive_only() -> None:
    first, again, other = seals.sealer("process-1")[0], seals.sealer("process-1")[0], seals.sealer("process-2")[0]

    assert first(b"secret") == again(b"secret")
    assert first(b"secret") != other(b"secret")


def test_key_is_kept_outside_the_object_and_wrapped() -> None:
    seals.sealer("process-1")[0](b"secret")

    digest = hashlib.sha256(b"urn:cellar:process-1").hexdigest()
    expected = f"keys/{digest[:3]}/{digest[3:6]}/{digest[6:9]}/{digest}.json"
    assert [location for location, _ in store().listed("keys")] == [expected, "keys/fingerprint.json"]
    assert seals.key_location("process-1") == expected
    assert list(store().listed(ocfl.ROOT)) == []
    assert json.loads(store().read_bytes(expected)).keys() == {"format", "wrapped"}


def test_concurrent_makers_of_a_key_get_the_same_key() -> None:
    sealed: list[bytes] = []
    makers = [threading.Thread(target=lambda: sealed.append(seals.sealer("process-1")[0](b"secret"))) for _ in range(8)]

    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()

    assert (len(sealed), len(set(sealed))) == (8, 1)


def test_missing_key_is_locked_and_not_made_for_reading() -> None:
    ciphertext = seals.sealer("process-1")[0](b"secret")

    with pytest.raises(Locked, match="is gone"):
        seals.opener("process-2")[0](ciphertext)
    with pytest.raises(Locked, match="is gone"):
        list(seals.opened_chunks("process-2", "receipt", [ciphertext]))
    assert store().size(seals.key_location("process-2")) is None


@pytest.mark.parametrize("damage", [b"{", b"{}", b'{"format": 1, "wrapped": "*"}', b'{"format": 2, "wrapped": "YQ=="}'])
def test_damaged_key_is_locked_and_never_replaced(damage: bytes) -> None:
    seals.sealer("process-1")[0](b"secret")
    store().overwrite_bytes(damage, seals.key_location("process-1"))

    with pytest.raises(Locked):
        seals.sealer("process-1")[0](b"secret")
    assert store().read_bytes(seals.key_location("process-1")) == damage


def test_wrong_master_key_is_reported_by_the_name_of_its_setting(configure: Configure) -> None:
    configure(seal_keys=master_key())
    ciphertext = seals.sealer("process-1")[0](b"secret")
    configure(seal_keys=(other := master_key()))

    for use in (seals.opener("process-1")[0], seals.sealer("process-1")[0]):
        with pytest.raises(Locked, match="CELLAR_SEAL_KEYS") as locked:
            use(ciphertext)
        assert other not in str(locked.value)
    with pytest.raises(Locked, match="CELLAR_SEAL_KEYS"):
        seals.rewrap(seals.key_location("process-1"))


def test_rotation_keeps_sealed_values_and_makes_the_old_key_removable(configure: Configure) -> None:
    old, new = master_key(), master_key()
    configure(seal_keys=old)
    ciphertext, reported = seals.sealer("process-1")[0](b"secret"), seals.fingerprint("69796709")

    configure(seal_keys=f"{new}, {old}")
    assert seals.opener("process-1")[0](ciphertext) == b"secret"
    assert [seals.rewrap(location) for location in seals.wrapped_keys()] == [True, True]
    assert [seals.rewrap(location) for location in seals.wrapped_keys()] == [False, False]
    configure(seal_keys=new)

    assert seals.opener("process-1")[0](ciphertext) == b"secret"
    assert seals.sealer("process-1")[0](b"secret") == ciphertext
    assert seals.fingerprint("69796709") == reported


def test_key_of_another_archive_is_locked() -> None:
    for reference in ("process-1", "process-2"):
        seals.sealer(reference)[0](b"secret")
    store().overwrite_bytes(store().read_bytes(seals.key_location("process-1")), seals.key_location("process-2"))

    with pytest.raises(Locked):
        seals.opener("process-2")[0](b"ciphertext")


def test_fingerprint_reveals_only_whether_secrets_are_equal() -> None:
    assert seals.fingerprint("69796709") == seals.fingerprint("69796709")
    assert seals.fingerprint("69796709") != seals.fingerprint("69796708")
    assert seals.fingerprint("69796709") != hashlib.sha256(b"69796709").hexdigest()
    assert len(seals.fingerprint("\ud800")) == 64


@given(st.lists(st.integers(0, 3 * MIB), max_size=3))
@with_settings(max_examples=10)
def test_body_comes_back_whole_from_pieces_of_any_size(sizes: list[int]) -> None:
    pieces = [os.urandom(size) for size in sizes]
    body = b"".join(pieces)

    sealed = b"".join(seals.sealed_chunks("process-1", "receipt", pieces))

    assert sealed == b"".join(seals.sealed_chunks("process-1", "receipt", [body]))
    assert b"".join(seals.opened_chunks("process-1", "receipt", [sealed[:7], sealed[7:]])) == body


@pytest.mark.parametrize("size_bytes", [MIB, 2 * MIB, 2 * MIB + 5])
def test_truncated_swapped_or_changed_body_is_a_conflict(size_bytes: int) -> None:
    sealed = b"".join(seals.sealed_chunks("process-1", "receipt", [os.urandom(size_bytes)]))
    chunk = MIB + 16
    changed = {bytes(chunk) + sealed, sealed + b"x", sealed[:-1], b"", sealed[chunk:] + sealed[:chunk], sealed[:chunk]}

    for each in changed - {sealed}:
        with pytest.raises(Conflict):
            list(seals.opened_chunks("process-1", "receipt", [each]))
    with pytest.raises(Conflict):
        list(seals.opened_chunks("process-1", "another receipt", [sealed]))


@pytest.mark.parametrize("kind", ["folder"], indirect=True)
def test_memory_is_flat_while_a_body_is_sealed_and_opened() -> None:
    def body() -> Iterator[bytes]:
        return (bytes(4 * MIB) for _ in range(16))

    seals.sealer("process-1")[0](b"makes the key")
    tracemalloc.start()
    opened = seals.opened_chunks("process-1", "receipt", seals.sealed_chunks("process-1", "receipt", body()))
    size_bytes = sum(len(chunk) for chunk in opened)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert (size_bytes, peak_bytes < 32 * MIB) == (64 * MIB, True)

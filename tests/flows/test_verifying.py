"""What is wrong in the store is found in one pass, and named."""

import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters import bucket, history, ocfl, store
from adapters.settings import Settings, settings
from flows.verifying import drawn, missing, object_of, stored_objects, verify_objects
from models.errors import Refused, Transient
from models.fixity import Fault, Fixity
from tests.installations import archived
from tests.samples import sample_body


@pytest.fixture(autouse=True)
def _archives(sqlite_installation: Settings, store_kind: str) -> None:
    for number in range(3):
        archived(f"process-{number}", sample_body(f"process-{number}"))
    archived("process-1", sample_body("process-1", data=[]))
    archived("process-1", json.dumps(json.loads(sample_body("process-1", data=[])), indent=1).encode())


def verified() -> Fixity:
    objects = list(stored_objects())
    return verify_objects(objects) + missing({each.key for each in objects})


def findings() -> list[tuple[str, str]]:
    """Faults and what they are at, within its object."""
    return [(each.fault, "/".join(each.key.split("/")[5:])) for each in verified().findings]


def path_of(reference: str, ending: str) -> str:
    """The path in its object of the only content that ends so in the first version."""
    found = ocfl.inventory(reference)
    assert found
    (path,) = [path for path in found.content_of(1).values() if path.endswith(ending)]
    return path


def key_of(reference: str, path: str) -> str:
    return f"{ocfl.object_key(reference)}/{path}"


def remove(key: str) -> None:
    if store.is_bucket():
        bucket.remove(f"{settings().store_location}/{key}")
    else:
        (Path(settings().store_location) / key).unlink()


def test_sound_store_is_sound() -> None:
    fixity = verified()

    assert (fixity.objects, fixity.findings, fixity.is_sound) == (3, (), True)
    assert fixity.files == sum(len(each.sizes) for each in stored_objects() if each.key)
    assert fixity.size_bytes > 10_000


@pytest.mark.parametrize("ending", ["skeleton.json", "cuts.json"])
def test_flipped_byte_is_found(ending: str) -> None:
    path = path_of("process-0", ending)
    damaged = bytearray(store.read_bytes(key_of("process-0", path)))
    damaged[len(damaged) // 2] ^= 1
    store.overwrite_bytes(bytes(damaged), key_of("process-0", path))

    assert findings() == [("damaged", path)]
    assert not verified().is_sound


def test_truncated_and_missing_and_extra_files_are_found_in_one_pass() -> None:
    files = [path for path in ocfl.inventory("process-2").content_of(1).values() if "/files/" in path]  # type: ignore[union-attr]
    truncated, missing = sorted(files)
    store.overwrite_bytes(store.read_bytes(key_of("process-2", truncated))[:-1], key_of("process-2", truncated))
    remove(key_of("process-2", missing))
    store.keep_bytes(b"x", key_of("process-0", "v1/content/files/unknown"))
    store.keep_bytes(b"x", f"{ocfl.ROOT}/README.txt")

    found = {(each.fault, each.key) for each in verified().findings}

    assert found == {
        (Fault.DAMAGED, key_of("process-2", truncated)),
        (Fault.MISSING, key_of("process-2", missing)),
        (Fault.EXTRA, key_of("process-0", "v1/content/files/unknown")),
        (Fault.EXTRA, f"{ocfl.ROOT}/README.txt"),
    }


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("inventory.json", "inventory.json"),
        ("v1/inventory.json", "v1/inventory.json"),
        ("v2/inventory.json", "v2/inventory.json"),
        ("inventory.json.sha256", "inventory.json.sha256"),
    ],
)
def test_damaged_inventories_are_found(path: str, expected: str) -> None:
    text = store.read_bytes(key_of("process-1", path))
    store.overwrite_bytes(
        text.replace(b"cellar", b"celler", 1) if b"cellar" in text else text[1:], key_of("process-1", path)
    )

    found = findings()

    assert all(fault in ("damaged", "interrupted") for fault, _ in found)
    assert expected in {where for _, where in found}
    if path != "inventory.json.sha256":
        assert ("damaged", expected) in found


@pytest.mark.parametrize("manifest", [[], {}])
def test_inventory_with_a_right_sidecar_that_tells_of_no_content_is_damaged(manifest: object) -> None:
    text = json.dumps(json.loads(store.read_bytes(key_of("process-0", "inventory.json"))) | {"manifest": manifest})
    for folder in ("", "v1/"):
        store.overwrite_bytes(text.encode(), key_of("process-0", f"{folder}inventory.json"))
        store.overwrite_bytes(ocfl.sidecar(text.encode()), key_of("process-0", f"{folder}inventory.json.sha256"))

    assert findings() == [("damaged", "inventory.json")]


def test_inventory_that_is_gone_or_is_none_is_found() -> None:
    remove(key_of("process-0", "inventory.json"))
    store.overwrite_bytes(b"{", key_of("process-2", "inventory.json"))

    assert {each.key: each.fault for each in verified().findings} == {
        key_of("process-0", "inventory.json"): Fault.MISSING,
        key_of("process-2", "inventory.json"): Fault.DAMAGED,
    }


def test_delivery_that_does_not_rebuild_its_request_is_found() -> None:
    (skeleton,) = [path for path in object_of("process-1").sizes if path.startswith("logs/") and "skeleton" in path]
    store.overwrite_bytes(b"{}", key_of("process-1", skeleton))

    assert findings() == [("damaged", skeleton.rpartition("/")[0])]


def test_delivery_that_is_gone_as_a_whole_is_missing() -> None:
    kept = [path for path in object_of("process-1").sizes if path.startswith("logs/receipts/")]
    for path in kept:
        remove(key_of("process-1", path))

    (receipt,) = [path for path in kept if path.endswith("receipt.json")]
    assert findings() == [("missing", receipt)]


def test_flipped_byte_in_a_history_and_strange_files_in_the_logs_are_found() -> None:
    (path, *_) = [path for path in object_of("process-0").sizes if path.startswith("logs/history/")]
    damaged = bytearray(store.read_bytes(key_of("process-0", path)))
    damaged[-3] ^= 1
    store.overwrite_bytes(bytes(damaged), key_of("process-0", path))
    store.keep_bytes(b"x", key_of("process-2", "logs/unknown"))

    assert sorted(findings()) == [("damaged", path), ("extra", "logs/unknown")]


def test_damaged_history_that_was_put_aside_keeps_the_store_unsound_no_longer() -> None:
    (path, *_) = [path for path in object_of("process-0").sizes if path.startswith("logs/history/")]
    store.overwrite_bytes(b"{", key_of("process-0", path))
    assert not verified().is_sound

    archived("process-0", sample_body("process-0"))

    assert f"{path}{history.PUT_ASIDE}" in object_of("process-0").sizes
    assert verified().is_sound


def test_object_that_the_database_knows_and_the_store_does_not_is_missing() -> None:
    for path in object_of("process-2").sizes:
        remove(key_of("process-2", path))

    assert [(each.fault, each.key) for each in verified().findings] == [(Fault.MISSING, ocfl.object_key("process-2"))]


def test_version_whose_writer_was_killed_is_interrupted_and_the_store_is_sound() -> None:
    key = ocfl.object_key("process-2")
    names = ("inventory.json", "inventory.json.sha256")
    before = {name: store.read_bytes(f"{key}/{name}") for name in names}
    archived("process-2", sample_body("process-2", data=[]))
    store.overwrite_bytes(before["inventory.json.sha256"], f"{key}/inventory.json.sha256")
    assert findings() == [("interrupted", "inventory.json.sha256")]

    store.overwrite_bytes(before["inventory.json"], f"{key}/inventory.json")
    assert findings() == [("interrupted", "v2/")]
    assert verified().is_sound

    archived("process-2", sample_body("process-2", data=[]), datetime.now(UTC))
    assert findings() == []


def test_sample_is_a_share_of_the_objects() -> None:
    everything = list(stored_objects())

    assert list(drawn(everything, 1, 1)) == everything
    with pytest.raises(Refused):
        drawn(everything, 0, 1)
    share = sum(len(list(drawn(everything, 0.5, seed))) for seed in range(200)) / (200 * len(everything))
    assert 0.4 < share < 0.6


def test_store_that_is_empty_although_the_database_has_archives_is_not_sound(
    store_kind: str, configure: Callable[..., Settings], tmp_path: Path
) -> None:
    configure(
        store_url=f"s3://archives/{secrets.token_hex(8)}" if store_kind == "bucket" else str(tmp_path / "unmounted")
    )

    assert [each.fault for each in verified().findings] == [Fault.MISSING] * 4


def test_store_that_does_not_answer_is_never_called_sound(
    store_kind: str, configure: Callable[..., Settings], tmp_path: Path
) -> None:
    if store_kind == "bucket":
        configure(AWS_ENDPOINT_URL="http://127.0.0.1:9")
    else:
        (tmp_path / "a file").write_text("")
        configure(store_url=str(tmp_path / "a file"))

    with pytest.raises(Transient):
        verified()
